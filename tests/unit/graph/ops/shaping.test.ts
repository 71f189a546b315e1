import { expect, test } from 'vitest'
import { SHAPING } from '../../../../src/graph/ops/shaping.ts'
import type { Attributes, Case } from '../operator-cases.ts'
import { f32, i32, none, of, testOperators } from '../operator-cases.ts'

const axis = (int: number): Attributes => ({ axis: { int } })
const order = (...ints: readonly number[]): Attributes => ({ perm: { ints } })
const parts = (count: number, along: number): Attributes => ({
  num_outputs: { int: count },
  axis: { int: along },
})

const CASES: Readonly<Record<string, Case>> = {
  Gather: {
    right: [
      { operands: [f32(50, 4), i32('T')], makes: f32('T', 4) },
      { operands: [of('i8', 50, 4), of('i64', 'B', 'S')], makes: of('i8', 'B', 'S', 4) },
      { operands: [f32('T', 4), i32('B')], makes: f32('B', 4) },
      { operands: [f32(50), i32()], makes: f32() },
      { operands: [f32('B', 9, 4), i32(3, 5)], attributes: axis(1), makes: f32('B', 3, 5, 4) },
    ],
    wrong: [
      { operands: [f32(50, 4), f32('T')], says: 'indices are f32, not integers' },
      { operands: [f32(50, 4), of('i8', 'T')], says: 'indices are i8' },
      { operands: [f32(50, 4), i32('T')], attributes: axis(2), says: 'axis must be 0 or 1' },
      { operands: [f32(), i32('T')], says: 'the table has no axis 0' },
      { operands: [f32(50), i32('T')], attributes: axis(1), says: 'the table has no axis 1' },
      { operands: [f32(50, 4)], says: 'missing' },
    ],
  },
  GatherElements: {
    right: [
      { operands: [f32('B', 'S', 9), i32('B', 'S', 'S')], attributes: axis(2), makes: f32('B', 'S', 'S') },
      { operands: [of('f16', 4), of('i64', 2)], makes: of('f16', 2) },
    ],
    wrong: [
      { operands: [f32('S', 9), i32('S', 'S')], attributes: axis(0), says: 'axis must be the last' },
      { operands: [f32('S', 9), i32('S', 'S')], says: 'axis must be the last' },
      { operands: [f32('S', 9), i32('T', 'S')], attributes: axis(1), says: 'T is not S' },
      { operands: [f32('S', 9), i32('S')], attributes: axis(1), says: 'ranks differ' },
      { operands: [f32('S', 9), f32('S', 'S')], attributes: axis(1), says: 'indices are f32, not integers' },
      { operands: [f32('S', 9)], attributes: axis(1), says: 'missing' },
    ],
  },
  Concat: {
    right: [
      { operands: [f32(2, 4), f32(3, 4), f32(1, 4)], attributes: axis(0), makes: f32(6, 4) },
      { operands: [f32('B', 4), f32('B', 8)], attributes: axis(1), makes: f32('B', 12) },
      { operands: [f32(2), f32(2)], attributes: axis(0), makes: f32(4) },
    ],
    wrong: [
      { operands: [f32('B', 4), f32('T', 4)], attributes: axis(1), says: 'T is not B' },
      { operands: [f32(2, 4), f32(2, 5)], attributes: axis(0), says: '5 is not 4' },
      { operands: [f32('B', 4), f32('B', 4)], attributes: axis(0), says: 'axis 0 is B, not a fixed size' },
      { operands: [f32(2, 4), f32(2)], attributes: axis(0), says: 'ranks differ' },
      { operands: [f32(2), of('f16', 2)], attributes: axis(0), says: 'f32 and f16 do not mix' },
      { operands: [f32(2), f32(2)], says: 'attribute axis is missing' },
      { operands: [f32(2), none], attributes: axis(0), says: 'missing' },
      { operands: [], attributes: axis(0), says: 'missing' },
    ],
  },
  Split: {
    right: [
      {
        operands: [f32('T', 12)],
        attributes: parts(3, 1),
        makes: f32('T', 4),
        more: [f32('T', 4), f32('T', 4)],
      },
      { operands: [of('i8', 6, 5)], attributes: { num_outputs: { int: 1 } }, makes: of('i8', 6, 5) },
      { operands: [f32(6, 5)], attributes: parts(2, 0), makes: f32(3, 5), more: [f32(3, 5)] },
    ],
    wrong: [
      { operands: [f32('T', 10)], attributes: parts(3, 1), says: '10 does not split into 3 parts' },
      { operands: [f32('T', 10)], attributes: parts(2, 0), says: 'T does not split into 2 parts' },
      { operands: [f32('T', 10)], attributes: parts(2, 2), says: 'missing' },
      { operands: [f32('T', 10)], attributes: axis(1), says: 'attribute num_outputs is missing' },
      { operands: [], attributes: parts(2, 0), says: 'missing' },
    ],
  },
  Reshape: {
    right: [
      { operands: [f32('B', 'S', 8)], declared: f32('B*S', 8), makes: f32('B*S', 8) },
      { operands: [f32('B*S', 8)], declared: f32('S', 'B', 2, 4), makes: f32('S', 'B', 2, 4) },
      { operands: [of('i8', 6)], declared: of('i8', 2, 3), makes: of('i8', 2, 3) },
      { operands: [f32('B', 6, 8)], declared: f32('B*6', 8), makes: f32('B*6', 8) },
      { operands: [f32('B*6', 8)], declared: f32('B*3', 16), makes: f32('B*3', 16) },
    ],
    wrong: [
      { operands: [f32('B', 'S', 8)], declared: f32('B', 8), says: 'has not the elements of [B, 8]' },
      { operands: [f32('T', 8)], declared: f32('B', 8), says: 'has not the elements of [B, 8]' },
      { operands: [f32(6)], declared: f32(2, 4), says: 'has not the elements of [2, 4]' },
      { operands: [f32('B*6', 8)], declared: f32('B*4', 16), says: 'has not the elements of [B*4, 16]' },
      { operands: [f32(6)], says: 'missing' },
      { operands: [], declared: f32(6), says: 'missing' },
    ],
  },
  Transpose: {
    right: [
      { operands: [f32('S', 'T', 4)], attributes: order(2, 0, 1), makes: f32(4, 'S', 'T') },
      { operands: [of('i8', 2, 3)], attributes: order(1, 0), makes: of('i8', 3, 2) },
    ],
    wrong: [
      { operands: [f32('S', 4)], attributes: order(0, 0), says: '0,0 is no order of 2 axes' },
      { operands: [f32('S', 4)], attributes: order(1, 2), says: '1,2 is no order of 2 axes' },
      { operands: [f32('S', 4)], attributes: order(1), says: '1 is no order of 2 axes' },
      { operands: [f32('S', 4)], says: 'attribute perm is missing' },
      { operands: [], attributes: order(0), says: 'missing' },
    ],
  },
  Expand: {
    right: [
      { operands: [f32(1, 2, 'S', 'S')], declared: f32('B', 2, 'S', 'S'), makes: f32('B', 2, 'S', 'S') },
      { operands: [of('i8', 1, 1)], declared: of('i8', 3, 'T'), makes: of('i8', 3, 'T') },
    ],
    wrong: [
      { operands: [f32(2, 'S')], declared: f32(4, 'S'), says: '2 is not 4' },
      { operands: [f32('S')], declared: f32('B', 'S'), says: 'ranks differ' },
      { operands: [f32(1, 'S')], says: 'missing' },
      { operands: [], declared: f32(6), says: 'missing' },
    ],
  },
}

test('every shaping operator has cases here', () => {
  expect(Object.keys(CASES).sort()).toEqual(Object.keys(SHAPING).sort())
})

testOperators(CASES)
