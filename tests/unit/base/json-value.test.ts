import { describe, expect, test } from 'vitest'
import { isDeeper, isGiven, isRecord, show } from '../../../src/base/json-value.ts'

test.each([
  [undefined, 'missing'],
  [null, 'null'],
  [[1, 2], 'a list of 2'],
  [{ a: 1 }, 'an object'],
  [5, '5'],
  [true, 'true'],
  ['a"b', '"a\\"b"'],
  ['x'.repeat(100), `"${'x'.repeat(59)}…`],
  [1n, 'of type bigint'],
])('%s is shown as %s', (value, shown) => {
  expect(show(value)).toBe(shown)
})

test('null is not given, all else but undefined is', () => {
  expect([undefined, null, 0, '', false, []].map(isGiven)).toEqual([false, false, true, true, true, true])
})

test('a record is an object that is no list', () => {
  expect([{}, [], null, 'a', undefined].map(isRecord)).toEqual([true, false, false, false, false])
})

describe('depth', () => {
  test.each([
    [5, 0, false],
    [[], 0, true],
    [[], 1, false],
    [{ a: [1] }, 1, true],
    [{ a: [1] }, 2, false],
    [[[], [[{}]]], 3, true],
    [[[], [[{}]]], 4, false],
  ])('of %j is more than %i: %s', (value, levels, deeper) => {
    expect(isDeeper(value, levels)).toBe(deeper)
  })

  test('of a hundred thousand levels takes no stack', () => {
    let value: unknown = 'a'
    for (let level = 0; level < 100_000; level++) value = [value]
    expect(isDeeper(value, 200)).toBe(true)
  })
})
