/** The chunks of one document as one row, so that each is read with the others in view. */
import type { Tokenizer } from 'tokenizers'
import { ServerError } from '../errors.ts'
import type { EncodedText } from './encode-long.ts'
import { encodeText, encodeTexts } from './encode-long.ts'
import { packRows } from './pack-rows.ts'
import type { Prompt, RowOptions, TokenizedChunks } from './protocol.ts'
import { expectRoom, rowLimit, tellTokens } from './rows.ts'
import { takeTexts } from './take-texts.ts'
import type { Template } from './template.ts'

const NOTHING: EncodedText = { ids: [], length: 0, exact: true }

/** Throws `text_too_long` for chunks that do not fit together, `invalid_request` for one without tokens. */
export async function chunkRow(
  { native, template }: { native: Tokenizer; template: Template },
  { texts, prompt }: { texts: readonly string[]; prompt: Prompt },
  options: RowOptions,
): Promise<TokenizedChunks> {
  const { before, after } = template.single
  const special = before.length + after.length
  expectRoom(options, special)
  const wanted = { needed: rowLimit(options).tokens, keep: 'right', whole: true } as const
  const opening = prompt.text === '' ? NOTHING : await encodeText(native, prompt.text, wanted)
  const chunks: EncodedText[] = []
  let tokens = special + opening.length
  // Of chunks that are too many together, no more is read than shows it.
  while (chunks.length < texts.length) {
    const encoded = await encodeTexts(native, takeTexts(texts, chunks.length), wanted)
    expectTokens(encoded, chunks.length, options)
    chunks.push(...encoded)
    tokens += encoded.reduce((sum, { length }) => sum + length, 0)
    if (tokens <= wanted.needed) continue
    const exact = chunks.length === texts.length && [opening, ...chunks].every((text) => text.exact)
    throw tooLong(extrapolate(tokens, texts, chunks.length), exact, options)
  }
  const ids = chunks.map((chunk) => chunk.ids)
  const textTokens = tokens - special
  const unpooledTokens = prompt.pooled ? 0 : before.length + opening.length
  const parts = [before, opening.ids, ...ids, after]
  return {
    ...packRows([{ parts, typeStart: undefined, unpooledTokens, textTokens, truncated: false }], options),
    chunkBounds: boundsOf(ids, before.length + opening.length),
  }
}

function expectTokens(chunks: readonly EncodedText[], from: number, { noun, firstIndex }: RowOptions): void {
  const empty = chunks.findIndex(({ length }) => length === 0)
  if (empty < 0) return
  throw new ServerError(
    'invalid_request',
    `${noun} ${firstIndex + from + empty} has no tokens; as a chunk of a document it needs one`,
  )
}

/** Tokens of all texts, judged by those of the first ones and their characters. */
function extrapolate(tokens: number, texts: readonly string[], readTexts: number): number {
  const [read, all] = [texts.slice(0, readTexts), texts].map((some) =>
    some.reduce((sum, text) => sum + text.length, 0),
  ) as [number, number]
  return Math.round((tokens * all) / read)
}

function tooLong(tokens: number, exact: boolean, options: RowOptions): ServerError {
  return new ServerError(
    'text_too_long',
    `the ${options.noun}s have ${tellTokens(tokens, exact)} tokens together; ${rowLimit(options).words}, and chunks of a document are never cut`,
  )
}

function boundsOf(chunks: readonly (readonly number[])[], from: number): Int32Array<ArrayBuffer> {
  const bounds = new Int32Array(chunks.length + 1)
  bounds[0] = from
  for (const [n, chunk] of chunks.entries()) bounds[n + 1] = (bounds[n] as number) + chunk.length
  return bounds
}
