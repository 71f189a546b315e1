import type { RaggedBatch } from '../../../src/runtime/runner.ts'
import { NO_ADAPTER } from '../../../src/runtime/runner.ts'

/** Rows of these lengths, whose ids are 0, 1, 2 … throughout: places of a table of their hidden states. */
export function raggedBatch(lengths: readonly number[]): RaggedBatch {
  const bounds = [0]
  for (const length of lengths) bounds.push((bounds.at(-1) ?? 0) + length)
  const rows = lengths.length
  return {
    ids: Int32Array.from({ length: bounds.at(-1) ?? 0 }, (_, t) => t),
    bounds: Int32Array.from(bounds),
    typeStarts: Int32Array.from(lengths),
    unpooledTokens: new Int32Array(rows),
    adapters: new Int32Array(rows).fill(NO_ADAPTER),
    wantsTokens: false,
  }
}

/** The tokens of each row. */
export function splitRows<X>(tokens: readonly X[], lengths: readonly number[]): X[][] {
  const { bounds } = raggedBatch(lengths)
  return lengths.map((_, b) => tokens.slice(bounds[b], bounds[b + 1]))
}

/** The largest difference between two lists of numbers; NaN where one has a NaN or they are of other lengths. */
export function largestDifference(found: readonly number[], expected: readonly number[]): number {
  if (found.length !== expected.length) return NaN
  return found.reduce((worst, number, index) => {
    const difference = Math.abs(number - (expected[index] ?? NaN))
    return Number.isNaN(difference) || difference > worst ? difference : worst
  }, 0)
}
