import { expect, test } from 'vitest'
import { findNonFinite } from '../../../src/runtime/non-finite.ts'

/** Three rows of 1, 3 and 2 tokens. */
const BOUNDS = Int32Array.of(0, 1, 4, 6)

test.each([NaN, Infinity, -Infinity])(
  'a row that holds %d is found, at its first number or its last',
  (bad) => {
    const rows = (...values: number[]) => ({ rows: Float32Array.from(values), tokens: undefined })
    expect(findNonFinite(rows(0, 1, 2, 3, 4, 5), BOUNDS)).toEqual([])
    expect(findNonFinite(rows(bad, 1, 2, 3, 4, 5), BOUNDS)).toEqual([0])
    expect(findNonFinite(rows(0, 1, 2, bad, 4, bad), BOUNDS)).toEqual([1, 2])
  },
)

test('a row whose numbers are sound but the vector of one of its tokens is not, is found', () => {
  const rows = new Float32Array(3)
  for (const [token, row] of [0, 1, 1, 1, 2, 2].entries()) {
    for (const place of [0, 1]) {
      const tokens = new Float32Array(6 * 2)
      expect(findNonFinite({ rows, tokens }, BOUNDS)).toEqual([])
      tokens[2 * token + place] = NaN
      expect(findNonFinite({ rows, tokens }, BOUNDS)).toEqual([row])
    }
  }
})

test('a row is named once, whatever is wrong with it', () => {
  const rows = Float32Array.of(NaN, 0, 0)
  const tokens = new Float32Array(6).fill(NaN)
  expect(findNonFinite({ rows, tokens }, BOUNDS)).toEqual([0, 1, 2])
})
