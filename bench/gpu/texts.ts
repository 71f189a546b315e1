/** The texts that this project and its peers are timed on. */
import { logNormalLengths, seededRandom } from '../../tools/random.ts'
import type { Shape } from '../../tools/random-model/shapes.ts'
import { textOf } from '../harness.ts'

export const SET_NAMES = ['mixed', '128', '512'] as const
export type SetName = (typeof SET_NAMES)[number]

/** For each set, texts of known numbers of tokens in the bundled vocabulary, with two special tokens. */
export type TextSets = Readonly<Record<SetName, readonly string[]>>

/** From a remark to what fills most models; half of the texts have at most 100 tokens. */
const MIXED = { median: 100, sigma: 0.8, least: 5, most: 512 }

export function makeTexts(counts: Readonly<Record<SetName, number>>): TextSets {
  const random = seededRandom(6)
  const mixed = logNormalLengths(counts.mixed, MIXED, random)
  const equal = (name: '128' | '512') => Array.from({ length: counts[name] }, () => Number(name))
  const write = (lengths: readonly number[]) => lengths.map((length) => textOf(length, random))
  return { mixed: write(mixed), '128': write(equal('128')), '512': write(equal('512')) }
}

/** Tokens of each text as a model reads it: every word is one, and there are one or two special ones. */
export function countTokens({ family }: Shape, texts: readonly string[]): number[] {
  const specials = family === 'qwen3' ? 1 : 2
  return texts.map((text) => text.split(' ').length + specials)
}
