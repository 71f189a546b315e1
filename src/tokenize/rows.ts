/** Ids of texts made into rows: template, truncation, and checks. */
import { ServerError } from '../errors.ts'
import type { RowOptions, TokenizedRows } from './protocol.ts'
import type { PairTemplate, Template } from './template.ts'
import { truncatePair } from './truncate.ts'

interface Row {
  readonly parts: readonly (readonly number[])[]
  readonly typeStart: number | undefined
  readonly promptLength: number
  readonly textTokens: number
}

export function singleRows(
  texts: readonly (readonly number[])[],
  template: Template['single'],
  promptLength: number,
  options: RowOptions,
): TokenizedRows {
  const { before, after } = template
  const room = Math.max(0, options.maxTokens - before.length - after.length)
  const rows = texts.map((ids, index): Row => {
    if (ids.length > room) expectTruncation(index, ids.length + before.length + after.length, options)
    const kept = keep(ids, room, options)
    return { parts: [before, kept, after], typeStart: undefined, promptLength, textTokens: kept.length }
  })
  return join(rows, options)
}

/** `firsts`: the ids of one query, which all pairs share, or of one text for each pair. */
export function pairRows(
  firsts: readonly number[] | readonly (readonly number[])[],
  seconds: readonly (readonly number[])[],
  template: PairTemplate,
  options: RowOptions,
): TokenizedRows {
  const { before, between, after, typeZeroAfterFirst } = template
  const special = before.length + between.length + after.length
  const rows = seconds.map((ids, index): Row => {
    const own = firsts[index]
    const query = Array.isArray(own) ? own : (firsts as readonly number[])
    const total = query.length + ids.length + special
    if (total > options.maxTokens) expectTruncation(index, total, options)
    const lengths = truncatePair({ first: query.length, second: ids.length }, options.maxTokens, special)
    const first = keep(query, lengths.first, options)
    const second = keep(ids, lengths.second, options)
    return {
      parts: [before, first, between, second, after],
      typeStart: typeZeroAfterFirst === undefined ? undefined : before.length + first.length + typeZeroAfterFirst,
      promptLength: 0,
      textTokens: first.length + second.length,
    }
  })
  return join(rows, options)
}

function keep(ids: readonly number[], count: number, { truncate }: RowOptions): readonly number[] {
  if (ids.length <= count) return ids
  return truncate === 'left' ? ids.slice(ids.length - count) : ids.slice(0, count)
}

/** A long text is not read to its end, so the count is a lower bound. */
function expectTruncation(index: number, tokens: number, { noun, firstIndex, truncate, maxTokens }: RowOptions): void {
  if (truncate !== 'none') return
  throw new ServerError(
    'text_too_long',
    `${noun} ${firstIndex + index} has at least ${tokens} tokens; the model takes ${maxTokens} and truncation is off`,
  )
}

function join(rows: readonly Row[], options: RowOptions): TokenizedRows {
  const bounds = new Int32Array(rows.length + 1)
  for (const [b, row] of rows.entries()) {
    bounds[b + 1] = (bounds[b] as number) + row.parts.reduce((sum, part) => sum + part.length, 0)
  }
  const ids = new Int32Array(bounds[rows.length] as number)
  const typeStarts = new Int32Array(rows.length)
  const promptLengths = new Int32Array(rows.length)
  for (const [b, row] of rows.entries()) {
    let offset = bounds[b] as number
    const length = (bounds[b + 1] as number) - offset
    if (length === 0) {
      throw new ServerError('invalid_request', `${options.noun} ${options.firstIndex + b} has no tokens; the model needs one`)
    }
    for (const part of row.parts) {
      ids.set(part, offset)
      offset += part.length
    }
    typeStarts[b] = row.typeStart ?? length
    promptLengths[b] = row.promptLength
  }
  expectKnownIds(ids, bounds, options)
  return { ids, bounds, typeStarts, promptLengths, textTokens: rows.reduce((sum, row) => sum + row.textTokens, 0) }
}

/** A tokenizer with more tokens than the model has rows would make the device read past its table. */
function expectKnownIds(ids: Int32Array, bounds: Int32Array, { noun, firstIndex, vocabularySize }: RowOptions): void {
  const position = ids.findIndex((id) => id >= vocabularySize)
  if (position < 0) return
  const row = bounds.findIndex((bound) => bound > position) - 1
  throw new ServerError(
    'invalid_request',
    `${noun} ${firstIndex + row} holds token id ${ids[position]}; the model knows ids below ${vocabularySize}`,
  )
}
