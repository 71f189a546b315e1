/** The special tokens that a tokenizer puts around one text or a pair, learnt by asking it once. */
import type { Encoding, Tokenizer } from 'tokenizers'
import { ServerError } from '../errors.ts'

export interface Template {
  readonly single: {
    readonly before: readonly number[]
    readonly after: readonly number[]
    /** A text without any token makes a row too. */
    readonly mayBeEmpty?: true
  }
  /** Undefined where the tokenizer joins pairs in a way that we cannot follow. */
  readonly pair: PairTemplate | undefined
}

export interface PairTemplate {
  readonly before: readonly number[]
  readonly between: readonly number[]
  readonly after: readonly number[]
  /** Special tokens after the first text that still have type 0; undefined where every token has it. */
  readonly typeZeroAfterFirst: number | undefined
}

/** Of texts that stand by themselves. */
export const BARE: Template = { single: { before: [], after: [], mayBeEmpty: true }, pair: undefined }

// Both must give tokens in any vocabulary worth the name.
const FIRST = 'a'
const SECOND = 'b'

/**
 * `passesTypes`: whether the model is given the token types of the template; else every token has type 0. Throws
 * `model_unsupported` where even a single text cannot be framed by fixed tokens.
 */
export async function learnTemplate(
  tokenizer: Tokenizer,
  { passesTypes }: { readonly passesTypes: boolean },
): Promise<Template> {
  const single = frame(await tokenizer.encode(FIRST))
  if (single === undefined || single.length !== 2) {
    throw new ServerError(
      'model_unsupported',
      'the tokenizer does not put fixed special tokens around a text',
    )
  }
  const [before = [], after = []] = single
  return { single: { before, after }, pair: learnPair(await tokenizer.encode(FIRST, SECOND), passesTypes) }
}

function learnPair(encoding: Encoding, passesTypes: boolean): PairTemplate | undefined {
  const parts = frame(encoding)
  if (parts === undefined || parts.length !== 3) return undefined
  const [before = [], between = [], after = []] = parts
  const types = encoding.getTypeIds()
  const start = types.indexOf(1)
  if (start < 0 || !passesTypes) return { before, between, after, typeZeroAfterFirst: undefined }
  // Types other than 0…0 1…1, or a change before the first text's end, are another family's business.
  const afterFirst = start - encoding.getSequenceIds().lastIndexOf(0) - 1
  if (afterFirst < 0 || !types.every((type, index) => type === (index < start ? 0 : 1))) return undefined
  return { before, between, after, typeZeroAfterFirst: afterFirst }
}

/** The runs of special tokens around and between texts; undefined where texts are not whole and in order. */
function frame(encoding: Encoding): number[][] | undefined {
  const ids = encoding.getIds()
  const runs: number[][] = [[]]
  let text: number | undefined
  for (const [index, sequence] of encoding.getSequenceIds().entries()) {
    if (sequence === null || sequence === undefined) {
      text = undefined
      runs.at(-1)?.push(ids[index] as number)
    } else if (sequence !== text) {
      if (sequence !== runs.length - 1) return undefined
      text = sequence
      runs.push([])
    }
  }
  return runs
}
