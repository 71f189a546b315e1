import { expect, test } from 'vitest'
import { averageChunks } from '../../../src/engine/tasks/embed-chunks.ts'

/** A token before the chunks, chunks of two tokens and of one, a token after them. */
const TOKENS = Float32Array.of(9, 9, 2, 4, 4, 4, 0, -3, 9, 9)
const BOUNDS = Int32Array.of(1, 3, 4)

test('each row is the mean of the tokens of its chunk, and of no others', () => {
  const rows = averageChunks({ tokens: TOKENS, bounds: BOUNDS, width: 2, rowWidth: 2 })
  expect([...rows]).toEqual([3, 4, 0, -3])
})

test('rows of a model that normalizes have norm 1, and the norm they had follows', () => {
  const rows = averageChunks({ tokens: TOKENS, bounds: BOUNDS, width: 2, rowWidth: 3 })
  expect([...rows]).toEqual([...Float32Array.of(0.6, 0.8, 5, 0, -1, 3)])
})

test('a mean of nothing but zeros stays zeros', () => {
  const chunk = { tokens: new Float32Array(4), bounds: Int32Array.of(0, 2), width: 2 }
  expect([...averageChunks({ ...chunk, rowWidth: 3 })]).toEqual([0, 0, 0])
})

test('a mean of many tokens is summed in float64', () => {
  const count = 5000
  const tokens = new Float32Array(count).fill(0.1)
  tokens[0] = 1e7
  const [mean] = averageChunks({ tokens, bounds: Int32Array.of(0, count), width: 1, rowWidth: 1 })
  expect(mean).toBe(Math.fround((1e7 + (count - 1) * Math.fround(0.1)) / count))
})
