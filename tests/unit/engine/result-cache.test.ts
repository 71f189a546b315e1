import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ENTRY_BYTES, ResultCache } from '../../../src/engine/result-cache.ts'

/** Of an entry with a key of two characters in all, and one number. */
const SMALLEST = ENTRY_BYTES + 2 + 4

function open(entryCount: number): ResultCache {
  return new ResultCache({ maxBytes: entryCount * SMALLEST })
}

test('a result is found under its model and its row, and under no other', () => {
  const cache = open(9)
  cache.keep('m', 'a', Float32Array.of(1))
  expect(cache.find('m', 'a')).toEqual(Float32Array.of(1))
  expect(cache.find('m', 'b')).toBeUndefined()
  expect(cache.find('n', 'a')).toBeUndefined()
})

test('what it keeps is a copy, and holds no more memory than its numbers', () => {
  const cache = open(9)
  const batch = Float32Array.of(1, 2, 3)
  cache.keep('m', 'a', batch.subarray(1, 2))
  batch.fill(7)
  expect(cache.find('m', 'a')).toEqual(Float32Array.of(2))
  expect(cache.find('m', 'a')?.buffer.byteLength).toBe(4)
})

test('the result that was not asked for longest makes room', () => {
  const cache = open(3)
  for (const key of ['a', 'b', 'c']) cache.keep('m', key, Float32Array.of(1))
  cache.find('m', 'a')
  cache.keep('m', 'd', Float32Array.of(1))
  expect(['a', 'b', 'c', 'd'].filter((key) => cache.find('m', key) !== undefined)).toEqual(['a', 'c', 'd'])
  expect(cache.stats).toEqual({ entries: 3, bytes: 3 * SMALLEST })
})

test('a large result makes room for itself of as many as it takes', () => {
  const cache = open(3)
  for (const key of ['a', 'b', 'c']) cache.keep('m', key, Float32Array.of(1))
  cache.keep('m', 'd', new Float32Array(1 + SMALLEST / 4))
  expect(['a', 'b', 'c', 'd'].filter((key) => cache.find('m', key) !== undefined)).toEqual(['c', 'd'])
})

test('one that alone passes the limit is not kept, and drives nothing out', () => {
  const cache = open(2)
  cache.keep('m', 'a', Float32Array.of(1))
  cache.keep('m', 'b', new Float32Array(SMALLEST))
  expect(cache.find('m', 'b')).toBeUndefined()
  expect(cache.stats).toEqual({ entries: 1, bytes: SMALLEST })
})

test('kept again, it is the latest, and counted once', () => {
  const cache = open(2)
  cache.keep('m', 'a', Float32Array.of(1))
  cache.keep('m', 'b', Float32Array.of(1))
  cache.keep('m', 'a', Float32Array.of(2))
  expect(cache.stats).toEqual({ entries: 2, bytes: 2 * SMALLEST })
  cache.keep('m', 'c', Float32Array.of(1))
  expect(cache.find('m', 'a')).toEqual(Float32Array.of(2))
  expect(cache.find('m', 'b')).toBeUndefined()
})

test('whatever is kept and found, it holds the latest that fit, and its bytes are counted right', () => {
  const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
  const steps = fc.array(
    fc.oneof(
      fc.record({ kind: fc.constant('keep' as const), key, width: fc.integer({ min: 1, max: 400 }) }),
      fc.record({ kind: fc.constant('find' as const), key }),
    ),
    { maxLength: 60 },
  )
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 6000 }), (steps, maxBytes) => {
      const cache = new ResultCache({ maxBytes })
      // The latest comes last.
      let expected: { key: string; width: number }[] = []
      const bytesOf = (width: number) => ENTRY_BYTES + 2 + 4 * width
      const total = () => expected.reduce((sum, { width }) => sum + bytesOf(width), 0)
      for (const step of steps) {
        const entry = step.kind === 'keep' ? step : expected.find(({ key }) => key === step.key)
        if (step.kind === 'keep') cache.keep('m', step.key, new Float32Array(step.width))
        else expect(cache.find('m', step.key)?.length).toBe(entry?.width)
        if (entry === undefined || bytesOf(entry.width) > maxBytes) continue
        expected = [...expected.filter(({ key }) => key !== entry.key), entry]
        while (total() > maxBytes) expected.shift()
        expect(cache.stats).toEqual({ entries: expected.length, bytes: total() })
      }
    }),
  )
})
