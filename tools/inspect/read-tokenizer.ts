/** What a tokenizer is made of, and whether it works. */
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import type { TokenizerSpec } from '../../src/model/spec.ts'
import { TokenizerThread } from '../../src/tokenize/tokenizer.ts'
import { describeFields } from './describe-head.ts'

export interface TokenizerReport {
  /** tokenizer.json, or the vocabulary that it was made of. */
  readonly file: string
  /** WordPiece, BPE, Unigram … */
  readonly kind: string
  readonly pieces: number
  /** Those of them that a text may name whole, such as `[CLS]`. */
  readonly addedTokens: number
  readonly normalizer: string
  /** What an empty text becomes. */
  readonly specialTokens: readonly string[]
  readonly joinsPairs: boolean
  readonly passesTypes: boolean
  readonly truncationSide: string
  /** What else a folder says of its texts; empty where it says nothing. */
  readonly settings: string
}

/** Throws what opening it throws: `model_invalid` or `model_unsupported`. */
export async function readTokenizer(spec: TokenizerSpec): Promise<TokenizerReport> {
  const threads = new TokenizerThread()
  try {
    const tokenizer = await threads.open(spec)
    const options = { prompt: { text: '', pooled: true }, addSpecialTokens: true }
    const [tokens = []] = await tokenizer.tokenize([''], options)
    const { file, content, passesTypes = true, truncationSide, lowerCase } = spec
    const json: unknown = JSON.parse(content ?? (await readFile(file, 'utf8')))
    const { steps, ...facts } = partsOf(json)
    return {
      ...facts,
      normalizer: [...(lowerCase ? ['Lowercase'] : []), ...steps].join(', ') || 'none',
      file: basename(file),
      specialTokens: tokens.map(({ text }) => text),
      joinsPairs: tokenizer.joinsPairs,
      passesTypes,
      truncationSide,
      settings: describeFields(untold(spec)),
    }
  } finally {
    await threads.close()
  }
}

/** Fields that have a line of their own. */
const TOLD = new Set([
  'file',
  'content',
  'vocabularySize',
  'maxTokens',
  'truncationSide',
  'passesTypes',
  'lowerCase',
])

function untold(spec: TokenizerSpec): object {
  return Object.fromEntries(Object.entries(spec).filter(([key]) => !TOLD.has(key)))
}

interface Part {
  readonly type?: string
  readonly normalizers?: readonly Part[]
}

interface TokenizerJson {
  readonly model?: Part & { readonly vocab?: object }
  readonly added_tokens?: readonly { readonly id?: number }[]
  readonly normalizer?: Part | null
}

/** Of a file that the library has read already. */
function partsOf(json: unknown): Pick<TokenizerReport, 'kind' | 'pieces' | 'addedTokens'> & {
  readonly steps: readonly (string | undefined)[]
} {
  const { model, added_tokens: added = [], normalizer } = json as TokenizerJson
  const own = Object.keys(model?.vocab ?? {}).length
  // Added tokens may stand in the vocabulary, or behind it.
  const behind = new Set(added.flatMap(({ id }) => (id !== undefined && id >= own ? [id] : [])))
  const steps = normalizer?.normalizers ?? (normalizer ? [normalizer] : [])
  return {
    kind: model?.type ?? 'of no type',
    pieces: own + behind.size,
    addedTokens: added.length,
    steps: steps.map(({ type }) => type),
  }
}
