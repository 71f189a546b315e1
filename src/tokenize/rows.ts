/** Ids of texts made into rows: template and truncation. */
import { ServerError } from '../errors.ts'
import type { EncodedText } from './encode-long.ts'
import type { Row } from './pack-rows.ts'
import { packRows } from './pack-rows.ts'
import type { RowOptions, SideLimit, TokenizedRows } from './protocol.ts'
import type { PairTemplate, Template } from './template.ts'

export interface RowLimit {
  /** Of one row, special tokens included. */
  readonly tokens: number
  /** Whose limit it is, as errors tell it. */
  readonly words: string
}

export function rowLimit({ maxTokens, clientMaxTokens = Infinity }: RowOptions): RowLimit {
  return clientMaxTokens < maxTokens
    ? { tokens: clientMaxTokens, words: `the request allows ${clientMaxTokens}` }
    : { tokens: maxTokens, words: `the model takes ${maxTokens}` }
}

/** A model's own limit is let be: its files say what they say. */
export function expectRoom({ clientMaxTokens = Infinity }: RowOptions, specialTokens: number): void {
  if (clientMaxTokens > specialTokens) return
  throw new ServerError(
    'invalid_request',
    `a limit of ${clientMaxTokens} tokens leaves no room for text: the model adds ${specialTokens} special tokens, so the least is ${specialTokens + 1}`,
  )
}

/** `exact`: see `EncodedText`. */
export function tellTokens(tokens: number, exact: boolean): string {
  return exact ? `${tokens}` : `about ${tokens}`
}

export function singleRows(
  texts: readonly EncodedText[],
  template: Template['single'],
  unpooledTokens: number,
  options: RowOptions,
): TokenizedRows {
  const { before, after, mayBeEmpty } = template
  const special = before.length + after.length
  expectRoom(options, special)
  const room = Math.max(0, rowLimit(options).tokens - special)
  const rows = texts.map((text, index): Row => {
    const { ids, length, exact } = capSide(text, { limit: options.side, index }, options)
    if (length > room) expectTruncation({ index, tokens: length + special, exact }, options)
    const kept = keep(ids, Math.min(room, length), options)
    return {
      parts: [before, kept, after, filling(kept.length + special, options)],
      typeStart: undefined,
      unpooledTokens,
      textTokens: kept.length,
      truncated: kept.length < text.length,
    }
  })
  return packRows(rows, options, { mayBeEmpty })
}

/** What a row of so many tokens lacks. */
function filling(tokens: number, { fill }: RowOptions): readonly number[] {
  if (fill === undefined || tokens >= fill.tokens) return []
  return Array<number>(fill.tokens - tokens).fill(fill.id)
}

/** `firsts`: one text that all pairs share, or one for each. */
export function pairRows(
  firsts: readonly EncodedText[],
  seconds: readonly EncodedText[],
  template: PairTemplate,
  options: RowOptions,
): TokenizedRows {
  expectRoom(options, specialTokensOf(template))
  const rows = seconds.map((second, index): Row => {
    const first = firsts[firsts.length === 1 ? 0 : index] as EncodedText
    return pairRow({ first, second, index }, template, options)
  })
  return packRows(rows, options)
}

interface Pair {
  readonly first: EncodedText
  readonly second: EncodedText
  readonly index: number
}

function pairRow({ index, ...sides }: Pair, template: PairTemplate, options: RowOptions): Row {
  const { before, between, after, typeZeroAfterFirst } = template
  const special = specialTokensOf(template)
  const limit = rowLimit(options).tokens
  const first = capSide(sides.first, { limit: options.sides?.first, index }, options)
  const second = capSide(sides.second, { limit: options.sides?.second, index }, options)
  const total = first.length + second.length + special
  if (total > limit) expectTruncation({ index, tokens: total, exact: first.exact && second.exact }, options)
  const lengths = truncatePair({ first: first.length, second: second.length }, limit, special)
  const keptFirst = keep(first.ids, lengths.first, options)
  const keptSecond = keep(second.ids, lengths.second, options)
  return {
    parts: [before, keptFirst, between, keptSecond, after],
    typeStart:
      typeZeroAfterFirst === undefined ? undefined : before.length + keptFirst.length + typeZeroAfterFirst,
    unpooledTokens: 0,
    textTokens: keptFirst.length + keptSecond.length,
    truncated: total > limit || first !== sides.first || second !== sides.second,
  }
}

function specialTokensOf({ before, between, after }: PairTemplate): number {
  return before.length + between.length + after.length
}

interface Cap {
  readonly limit: SideLimit | undefined
  readonly index: number
}

/** The side itself where it has no more tokens than it may; else it counts for so many, and the pair's cut takes them. */
export function capSide(text: EncodedText, { limit, index }: Cap, options: RowOptions): EncodedText {
  if (limit?.maxTokens === undefined || text.length <= limit.maxTokens) return text
  const { name, maxTokens } = limit
  if (options.truncate === 'none') {
    const item = `${options.noun} ${options.firstIndex + index}`
    const side = name === options.noun ? item : `the ${name} of ${item}`
    throw new ServerError(
      'text_too_long',
      `${side} has ${tellTokens(text.length, text.exact)} tokens; the request allows ${maxTokens} of a ${name} and truncation is off`,
    )
  }
  return { ids: text.ids, length: maxTokens, exact: true }
}

function keep(ids: readonly number[], count: number, { truncate }: RowOptions): readonly number[] {
  if (ids.length <= count) return ids
  return truncate === 'left' ? ids.slice(ids.length - count) : ids.slice(0, count)
}

/** Throws `text_too_long` where rows are not to be cut. */
export function expectTruncation(
  { index, tokens, exact }: { index: number; tokens: number; exact: boolean },
  options: RowOptions,
): void {
  if (options.truncate !== 'none') return
  throw new ServerError(
    'text_too_long',
    `${options.noun} ${options.firstIndex + index} has ${tellTokens(tokens, exact)} tokens; ${rowLimit(options).words} and truncation is off`,
  )
}

export interface PairLengths {
  readonly first: number
  readonly second: number
}

/**
 * `longest_first` of the tokenizers library: the longer side gives way until both are equal; of an odd remainder the side
 * that was longer gets the extra token, and of two equal ones the second.
 */
export function truncatePair(
  { first, second }: PairLengths,
  maxTokens: number,
  specialTokens: number,
): PairLengths {
  const room = Math.max(0, maxTokens - specialTokens)
  if (first + second <= room) return { first, second }
  let shorter = Math.min(first, second)
  let longer = Math.max(shorter, room - shorter)
  if (shorter + longer > room) {
    shorter = Math.floor(room / 2)
    longer = shorter + (room % 2)
  }
  return first > second ? { first: longer, second: shorter } : { first: shorter, second: longer }
}
