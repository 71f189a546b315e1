import { expect, test } from 'vitest'
import { takeTexts } from '../../../src/tokenize/take-texts.ts'

function lengthsTaken(lengths: readonly number[], from: number): number[] {
  return takeTexts(
    lengths.map((length) => 'x'.repeat(length)),
    from,
  ).map((text) => text.length)
}

test('texts are taken together up to 262,144 characters', () => {
  expect(lengthsTaken([262_143, 1, 1], 0)).toEqual([262_143, 1])
  expect(lengthsTaken([262_143, 2, 1], 0)).toEqual([262_143])
  expect(lengthsTaken([262_143, 2, 1], 1)).toEqual([2, 1])
})

test('a longer text is taken alone', () => {
  expect(lengthsTaken([300_000, 0], 0)).toEqual([300_000])
})

test('what stands before each counts as its characters', () => {
  expect(takeTexts(['a', 'bc'], 0, 'x ')).toEqual(['x a', 'x bc'])
  expect(takeTexts(Array<string>(9).fill('a'), 0, 'x'.repeat(65_535))).toHaveLength(4)
})

test('no more than 1024 are taken', () => {
  expect(
    lengthsTaken(
      Array.from({ length: 3000 }, () => 0),
      2,
    ),
  ).toHaveLength(1024)
  expect(lengthsTaken([0, 0], 2)).toEqual([])
})
