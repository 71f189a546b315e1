import { expect, test } from 'vitest'
import { toSparse } from '../../../src/runtime/sparse-rows.ts'

test('what is not 0 is told by index and value, row by row', () => {
  const { pairs, bounds, counts } = toSparse(Float32Array.of(0, 2, 0, 0.5, 0, 0, 0, 0, 1, 0, 0, 3), 3)
  expect([...pairs]).toEqual([1, 2, 3, 0.5, 0, 1, 3, 3])
  expect([...bounds]).toEqual([0, 4, 4, 8])
  expect([...counts]).toEqual([2, 0, 2])
})
