import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { RowsByLength } from '../../../src/engine/rows-by-length.ts'
import { makeRequest, makeRow } from '../../fakes/rows.ts'

/** Rows of these lengths, numbered in the order they came. */
function fill(lengths: readonly number[]): RowsByLength {
  const request = makeRequest()
  const rows = new RowsByLength()
  for (const [index, length] of lengths.entries()) rows.add(makeRow(request, index, length))
  return rows
}

test('rows of one length leave in the order they came', () => {
  const rows = fill([7, 3, 7, 7])
  expect([rows.take(7)?.index, rows.take(7)?.index, rows.take(7)?.index]).toEqual([0, 2, 3])
  expect(rows.take(7)).toBeUndefined()
  expect(rows.take(3)?.index).toBe(1)
})

test('a length that nobody has gives nothing', () => {
  expect(fill([7, 3]).take(5)).toBeUndefined()
  expect(fill([]).take(5)).toBeUndefined()
  expect(fill([]).takeNearest(5, 100)).toBeUndefined()
})

test('the nearest length wins, above or below', () => {
  expect(fill([10, 20]).takeNearest(14, 100)?.ids.length).toBe(10)
  expect(fill([10, 20]).takeNearest(16, 100)?.ids.length).toBe(20)
  expect(fill([10, 20]).takeNearest(1, 100)?.ids.length).toBe(10)
  expect(fill([10, 20]).takeNearest(99, 100)?.ids.length).toBe(20)
})

test('of two lengths equally near the longer wins', () => {
  expect(fill([10, 20]).takeNearest(15, 100)?.ids.length).toBe(20)
})

test('a row that is longer than allowed is left, however near', () => {
  expect(fill([10, 20]).takeNearest(20, 19)?.ids.length).toBe(10)
  expect(fill([10, 20]).takeNearest(20, 20)?.ids.length).toBe(20)
  expect(fill([10, 20]).takeNearest(20, 9)).toBeUndefined()
})

test('a row removed is passed over, first or last of its length', () => {
  const request = makeRequest()
  const [first, second, third, other] = [7, 7, 7, 3].map((length, index) => makeRow(request, index, length))
  const rows = new RowsByLength()
  for (const row of [first, second, third, other]) if (row) rows.add(row)
  for (const row of [first, third]) if (row) rows.remove(row)
  expect(rows.take(7)?.index).toBe(1)
  expect(rows.take(7)).toBeUndefined()
  expect(rows.takeNearest(7, 100)?.index).toBe(3)
})

test('a length whose rows were all removed is gone, until one comes again', () => {
  const request = makeRequest()
  const [one, two] = [makeRow(request, 0, 5), makeRow(request, 1, 9)]
  const rows = new RowsByLength()
  rows.add(one)
  rows.add(two)
  rows.remove(one)
  expect(rows.takeNearest(5, 100)?.index).toBe(1)
  rows.add(makeRow(request, 2, 5))
  expect(rows.takeNearest(5, 100)?.index).toBe(2)
})

test('any sequence of takes gives the nearest row that fits, each row once', () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 60 })
  const takes = fc.array(fc.record({ target: fc.integer({ min: 1, max: 45 }), atMost: fc.nat(45) }), {
    maxLength: 80,
  })
  fc.assert(
    fc.property(lengths, takes, (lengths, takes) => {
      const rows = fill(lengths)
      const waiting = new Map(lengths.entries())
      for (const { target, atMost } of takes) {
        const row = rows.takeNearest(target, atMost)
        const expected = nearest([...waiting.values()], target, atMost)
        expect(row?.ids.length).toBe(expected)
        if (row === undefined) continue
        const oldest = [...waiting].find(([, length]) => length === expected)
        expect(row.index).toBe(oldest?.[0])
        waiting.delete(row.index)
      }
    }),
  )
})

function nearest(lengths: readonly number[], target: number, atMost: number): number | undefined {
  const distance = (length: number) => Math.abs(length - target)
  return lengths
    .filter((length) => length <= atMost)
    .sort((a, b) => distance(a) - distance(b) || b - a)
    .at(0)
}
