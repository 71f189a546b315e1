import { expect, test } from 'vitest'
import { cutTokens, lookUpWords, weighWords } from '../../../src/engine/word-weights.ts'

const NONE = { skippedIds: [] }

test('a word has the greatest weight of its places; special tokens and words of no weight have none', () => {
  const row = {
    ids: Int32Array.of(0, 9, 5, 9, 7, 2),
    tokens: Float32Array.of(8, 3, 9, 8, 0.5, 9, 8, 1, 9, 8, 0.75, 9, 8, 0, 9, 8, 4, 9),
    width: 3,
    weightAt: 1,
  }
  expect([...weighWords(row, { skippedIds: [0, 2] })]).toEqual([5, 1, 9, 0.75])
  expect([...weighWords({ ...row, ids: row.ids.subarray(0, 1) }, NONE)]).toEqual([0, 3])
})

test('fixed weights are those of the words that stand in a row; a word beyond the table has none', () => {
  const weights = Float32Array.of(0, 0.5, 0, -2)
  expect([...lookUpWords(Int32Array.of(3, 1, 3, 2, 9), weights)]).toEqual([1, 0.5, 3, -2])
  expect([...lookUpWords(new Int32Array(), weights)]).toEqual([])
})

test('what stands behind the vectors of tokens is cut off', () => {
  const tokens = Float32Array.of(1, 2, 3, 4, 5, 6)
  expect([...cutTokens(tokens, 3, 2)]).toEqual([1, 2, 4, 5])
  const whole = cutTokens(tokens, 3, 3)
  expect(whole).toEqual(tokens)
  expect(whole.buffer).not.toBe(tokens.buffer)
})
