import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cutIntoPieces } from '../../../src/runtime/pieces.ts'

const batches = fc
  .array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 6 })
  .map((lengths) => Int32Array.from([0, ...lengths.map((_, row) => sum(lengths.slice(0, row + 1)))]))

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

test('every token stands in a piece of its own row with all that it sees', () => {
  const property = fc.property(batches, fc.nat({ max: 12 }), (bounds, window) => {
    const { starts, ends, keptEnds, longest } = cutIntoPieces(bounds, window)
    let p = 0
    for (let row = 0; row + 1 < bounds.length; row++) {
      const [first = 0, end = 0] = bounds.subarray(row, row + 2)
      for (let t = first; t < end; t++) {
        if (t === keptEnds[p]) p++
        const [start = NaN, behind = NaN] = [starts[p], ends[p]]
        const isWithinRow = first <= start && behind <= end
        const holdsAll = start <= Math.max(first, t - window) && Math.min(end, t + window + 1) <= behind
        expect(isWithinRow && holdsAll).toBe(true)
      }
    }
    expect(p).toBe(starts.length - 1)
    expect(longest).toBe(Math.max(...starts.map((start, index) => (ends[index] ?? 0) - start)))
  })
  fc.assert(property, { numRuns: 200 })
})

test('rows of at most eight windows stay whole', () => {
  expect(cutIntoPieces(Int32Array.of(0, 40, 45), 5)).toMatchObject({
    starts: Int32Array.of(0, 40),
    ends: Int32Array.of(40, 45),
    longest: 40,
  })
  expect(cutIntoPieces(Int32Array.of(0, 41, 46), 5)).toMatchObject({
    starts: Int32Array.of(0, 10, 20, 30, 41),
    longest: 20,
  })
})

test('rows stay whole without a window', () => {
  expect(cutIntoPieces(Int32Array.of(0, 5000)).longest).toBe(5000)
})

test('the work grows with the length, not with its square', () => {
  const { starts, longest } = cutIntoPieces(Int32Array.of(0, 8192), 64)
  expect(longest).toBe(256)
  expect(starts.length * longest).toBeLessThan(2.1 * 8192)
})
