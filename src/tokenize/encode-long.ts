import type { Encoding, Tokenizer } from 'tokenizers'
import type { TruncationSide } from '../model/spec.ts'

/** Characters read for each token that can stay: real texts have 2 to 6 a token. */
const CHARACTERS_PER_TOKEN = 16
const LEAST_WINDOW = 4096

/**
 * Tokens past this many more than needed are not looked at, and a window is trusted only when it gives that many: what a
 * cut inside a word can disturb (WordPiece looks at words of up to 100 characters) then lies in the part thrown away.
 */
const SPARE_TOKENS = 128

/** A text of so many characters takes a tokenizer tens of milliseconds. */
const WHOLE_CHARACTERS = 65_536

export interface EncodedText {
  /** Without special tokens: all of them, or at least the needed number from the side that truncation keeps. */
  readonly ids: readonly number[]
  /** Tokens of the whole text. */
  readonly length: number
  /** False: the text was not read to its end, and its length is judged by its characters. */
  readonly exact: boolean
}

export interface Wanted {
  /** Tokens that can stay. */
  readonly needed: number
  /** The side that truncation keeps: `right` cuts at the right end. */
  readonly keep: TruncationSide
  /** Read to the end, for the exact length, unless that would take long. */
  readonly whole?: boolean
}

/** Reads as much of a text as its first, or last, `needed` tokens take. */
export async function encodeText(tokenizer: Tokenizer, text: string, wanted: Wanted): Promise<EncodedText> {
  const { keep, whole = false } = wanted
  const enough = wanted.needed + SPARE_TOKENS
  let size = whole && text.length <= WHOLE_CHARACTERS ? text.length : windowFor(enough)
  while (true) {
    const window = cutAtSpace(text, size, keep)
    const encoding = await tokenizer.encode(window, null, { addSpecialTokens: false })
    const count = encoding.getLength()
    if (window.length === text.length)
      return { ids: idsOf(encoding, enough, keep), length: count, exact: true }
    if (count >= enough) {
      return {
        ids: idsOf(encoding, enough, keep),
        length: Math.round((count * text.length) / window.length),
        exact: false,
      }
    }
    size *= 2
  }
}

/** `texts` that fit a window are encoded together, on all cores. */
export async function encodeTexts(
  tokenizer: Tokenizer,
  texts: readonly string[],
  wanted: Wanted,
): Promise<EncodedText[]> {
  const { keep } = wanted
  const enough = wanted.needed + SPARE_TOKENS
  if (texts.length === 1 || texts.some((text) => text.length > windowFor(enough))) {
    return Promise.all(texts.map((text) => encodeText(tokenizer, text, wanted)))
  }
  const encodings = await tokenizer.encodeBatch([...texts], { addSpecialTokens: false })
  return encodings.map((encoding) => {
    const length = encoding.getLength()
    return { ids: idsOf(encoding, enough, keep), length, exact: true }
  })
}

function windowFor(tokens: number): number {
  return Math.max(LEAST_WINDOW, CHARACTERS_PER_TOKEN * tokens)
}

/** The kept side's `size` characters, cut where a space begins if one is near, never inside a surrogate pair. */
function cutAtSpace(text: string, size: number, keep: TruncationSide): string {
  if (text.length <= size) return text
  if (keep === 'right') {
    const space = text.lastIndexOf(' ', size)
    const end = space > size / 2 ? space : size
    return text.slice(0, isHighSurrogate(text, end - 1) ? end - 1 : end)
  }
  const start = text.length - size
  const space = text.indexOf(' ', start)
  const from = space >= 0 && space < start + size / 2 ? space : start
  return text.slice(isHighSurrogate(text, from - 1) ? from + 1 : from)
}

function isHighSurrogate(text: string, index: number): boolean {
  const unit = text.charCodeAt(index)
  return unit >= 0xd800 && unit < 0xdc00
}

/** Cut in the native library first: ids become one JavaScript array, and of a megabyte of text that would be long. */
function idsOf(encoding: Encoding, enough: number, keep: TruncationSide): number[] {
  if (encoding.getLength() > enough) encoding.truncate(enough, 0, keep)
  return encoding.getIds()
}
