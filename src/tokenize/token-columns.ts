/** Tokens with their places: columns while they cross threads, objects for whoever asked. */
import { setImmediate } from 'node:timers/promises'
import type { Encoding, Tokenizer } from 'tokenizers'
import type { Token } from '../task.ts'
import type { TokenColumns } from './protocol.ts'

/** In place of a token's offsets: it is no part of the text. */
const ADDED = -1

/** Tokens built before others get their turn: a millisecond or two. */
const TOKENS_AT_A_TIME = 4096

/** Tokens of texts, as they cross threads: an object for each would take ten times as long. */
export function tokenColumns(encodings: readonly Encoding[], native: Tokenizer): TokenColumns {
  const bounds = new Int32Array(encodings.length + 1)
  for (const [n, encoding] of encodings.entries()) {
    bounds[n + 1] = (bounds[n] as number) + encoding.getLength()
  }
  const tokens = bounds.at(-1) as number
  const ids = new Int32Array(tokens)
  const starts = new Int32Array(tokens)
  const stops = new Int32Array(tokens)
  const names = new Map<number, string>()
  for (const [n, encoding] of encodings.entries()) {
    const from = bounds[n] as number
    ids.set(encoding.getIds(), from)
    // Set for what the template adds, and not for a special token that stands in the text.
    const added = encoding.getSpecialTokensMask()
    for (const [index, offsets] of encoding.getOffsets().entries()) {
      const token = from + index
      const isAdded = added[index] === 1
      starts[token] = isAdded ? ADDED : (offsets[0] as number)
      stops[token] = isAdded ? ADDED : (offsets[1] as number)
      if (isAdded) names.set(ids[token] as number, native.idToToken(ids[token] as number) ?? '')
    }
  }
  return { ids, bounds, starts, stops, names }
}

/** For each text its tokens, each with the part of the text as it was before the tokenizer changed it. */
export async function buildTokens(texts: readonly string[], columns: TokenColumns): Promise<Token[][]> {
  const { bounds } = columns
  const tokens: Token[][] = []
  let built = 0
  for (const [n, text] of texts.entries()) {
    const partOf = partsOf(text)
    const own: Token[] = []
    for (let token = bounds[n] as number; token < (bounds[n + 1] as number); token++) {
      if (++built % TOKENS_AT_A_TIME === 0) await setImmediate()
      own.push(buildToken(token, columns, partOf))
    }
    tokens.push(own)
  }
  return tokens
}

/** From one Unicode character to another. */
export type PartOf = (start: number, stop: number) => string

function buildToken(token: number, { ids, starts, stops, names }: TokenColumns, partOf: PartOf): Token {
  const id = ids[token] as number
  const start = starts[token] as number
  const stop = stops[token] as number
  return start === ADDED
    ? { id, text: names.get(id) ?? '', special: true, start: null, stop: null }
    : { id, text: partOf(start, stop), special: false, start, stop }
}

/**
 * A character past the first 65,536 takes two places in a string. Each is found from the one before it, for tokens come
 * in the order of the text: a table of all places in a megabyte of text would take 50 ms.
 */
export function partsOf(text: string): PartOf {
  if (!/[\ud800-\udfff]/.test(text)) return (start, stop) => text.slice(start, stop)
  let character = 0
  let index = 0
  const indexOf = (wanted: number) => {
    for (; character < wanted && index < text.length; character++) index += widthAt(text, index)
    for (; character > wanted; character--) index -= widthAt(text, index - 2)
    return index
  }
  return (start, stop) => text.slice(indexOf(start), indexOf(stop))
}

/** 2 where a surrogate pair begins. */
function widthAt(text: string, index: number): number {
  return (text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1
}
