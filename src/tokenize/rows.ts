/** Ids of texts made into rows: template, truncation, and checks. */
import { ServerError } from '../errors.ts'
import type { EncodedText } from './encode-long.ts'
import type { RowOptions, TokenizedRows } from './protocol.ts'
import type { PairTemplate, Template } from './template.ts'
import { truncatePair } from './truncate.ts'

interface Row {
  readonly parts: readonly (readonly number[])[]
  readonly typeStart: number | undefined
  readonly unpooledTokens: number
  readonly textTokens: number
}

export function singleRows(
  texts: readonly EncodedText[],
  template: Template['single'],
  unpooledTokens: number,
  options: RowOptions,
): TokenizedRows {
  const { before, after } = template
  const special = before.length + after.length
  const room = Math.max(0, options.maxTokens - special)
  const rows = texts.map(({ ids, length, exact }, index): Row => {
    if (length > room) expectTruncation({ index, tokens: length + special, exact }, options)
    const kept = keep(ids, room, options)
    return { parts: [before, kept, after], typeStart: undefined, unpooledTokens, textTokens: kept.length }
  })
  return join(rows, options)
}

/** `firsts`: one text that all pairs share, or one for each. */
export function pairRows(
  firsts: readonly EncodedText[],
  seconds: readonly EncodedText[],
  template: PairTemplate,
  options: RowOptions,
): TokenizedRows {
  const { before, between, after, typeZeroAfterFirst } = template
  const special = before.length + between.length + after.length
  const rows = seconds.map((second, index): Row => {
    const first = firsts[firsts.length === 1 ? 0 : index] as EncodedText
    const total = first.length + second.length + special
    if (total > options.maxTokens)
      expectTruncation({ index, tokens: total, exact: first.exact && second.exact }, options)
    const lengths = truncatePair({ first: first.length, second: second.length }, options.maxTokens, special)
    const keptFirst = keep(first.ids, lengths.first, options)
    const keptSecond = keep(second.ids, lengths.second, options)
    return {
      parts: [before, keptFirst, between, keptSecond, after],
      typeStart:
        typeZeroAfterFirst === undefined ? undefined : before.length + keptFirst.length + typeZeroAfterFirst,
      unpooledTokens: 0,
      textTokens: keptFirst.length + keptSecond.length,
    }
  })
  return join(rows, options)
}

function keep(ids: readonly number[], count: number, { truncate }: RowOptions): readonly number[] {
  if (ids.length <= count) return ids
  return truncate === 'left' ? ids.slice(ids.length - count) : ids.slice(0, count)
}

function expectTruncation(
  { index, tokens, exact }: { index: number; tokens: number; exact: boolean },
  { noun, firstIndex, truncate, maxTokens }: RowOptions,
): void {
  if (truncate !== 'none') return
  const has = exact ? tokens : `about ${tokens}`
  throw new ServerError(
    'text_too_long',
    `${noun} ${firstIndex + index} has ${has} tokens; the model takes ${maxTokens} and truncation is off`,
  )
}

function join(rows: readonly Row[], options: RowOptions): TokenizedRows {
  const bounds = new Int32Array(rows.length + 1)
  for (const [b, row] of rows.entries()) {
    bounds[b + 1] = (bounds[b] as number) + row.parts.reduce((sum, part) => sum + part.length, 0)
  }
  const ids = new Int32Array(bounds[rows.length] as number)
  const typeStarts = new Int32Array(rows.length)
  const unpooledTokens = new Int32Array(rows.length)
  for (const [b, row] of rows.entries()) {
    let offset = bounds[b] as number
    const length = (bounds[b + 1] as number) - offset
    if (length === 0) {
      throw new ServerError(
        'invalid_request',
        `${options.noun} ${options.firstIndex + b} has no tokens; the model needs one`,
      )
    }
    for (const part of row.parts) {
      ids.set(part, offset)
      offset += part.length
    }
    typeStarts[b] = row.typeStart ?? length
    unpooledTokens[b] = row.unpooledTokens
  }
  expectKnownIds(ids, bounds, options)
  return {
    ids,
    bounds,
    typeStarts,
    unpooledTokens,
    textTokens: rows.reduce((sum, row) => sum + row.textTokens, 0),
  }
}

/** A tokenizer with more tokens than the model has rows would make the device read past its table. */
function expectKnownIds(
  ids: Int32Array,
  bounds: Int32Array,
  { noun, firstIndex, vocabularySize }: RowOptions,
): void {
  const position = ids.findIndex((id) => id >= vocabularySize)
  if (position < 0) return
  const row = bounds.findIndex((bound) => bound > position) - 1
  throw new ServerError(
    'model_invalid',
    `${noun} ${firstIndex + row} holds token id ${ids[position]}; the model knows ids below ${vocabularySize}: tokenizer.json does not belong to the weights`,
  )
}
