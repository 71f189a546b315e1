import { expect, test } from 'vitest'
import { MATRIX } from '../../../../src/graph/ops/matrix.ts'
import type { Attributes, Case } from '../operator-cases.ts'
import { f32, i32, of, testOperators } from '../operator-cases.ts'

const transposed: Attributes = { transB: { int: 1 } }
const keepdims = (int: number): Attributes => ({ keepdims: { int } })

const product: Case = {
  right: [
    { operands: [f32('B', 'T'), f32('T', 4)], makes: f32('B', 4) },
    { operands: [of('f16', 2, 3), of('f16', 3, 5)], makes: of('f16', 2, 5) },
    { operands: [f32('B', 'S', 4), f32(4, 2)], makes: f32('B', 'S', 2) },
    { operands: [f32('B', 2, 'S', 8), f32('B', 2, 8, 'S')], makes: f32('B', 2, 'S', 'S') },
  ],
  wrong: [
    { operands: [f32('B', 'S'), f32('T', 4)], says: 'S is not T' },
    { operands: [f32(2, 3), f32(4, 5)], says: '3 is not 4' },
    { operands: [f32('B', 'S', 4), f32('T', 4, 2)], says: 'B is not T' },
    { operands: [f32('B', 2, 'S', 8), f32('B', 3, 8, 'S')], says: '2 is not 3' },
    { operands: [f32('B', 2, 'S', 8), f32('B', 8, 'S')], says: 'both sides must be matrices' },
    { operands: [f32('S', 4), f32('B', 4, 2)], says: 'both sides must be matrices' },
    { operands: [f32(3), f32(3, 2)], says: 'both sides must be matrices' },
    { operands: [f32('B', 3), f32(3)], says: 'both sides must be matrices' },
    { operands: [f32(2, 3), of('f16', 3, 2)], says: 'f32 and f16 do not mix' },
    { operands: [i32(2, 3), f32(3, 2)], says: 'is i32, not floating' },
    { operands: [f32(2, 3), of('i8', 3, 2)], says: 'is i8, not floating' },
    { operands: [f32(2, 3)], says: 'missing' },
  ],
}

const reduction: Case = {
  right: [
    { operands: [f32('B', 'S', 4), of('i64', 1)], attributes: keepdims(0), makes: f32('B', 4) },
    { operands: [f32('B', 'S'), of('i64', 1)], attributes: keepdims(0), makes: f32('B') },
    { operands: [f32('B', 'S'), of('i64', 1)], makes: f32('B', 1) },
  ],
  wrong: [
    { operands: [f32('B'), of('i64', 1)], attributes: keepdims(0), says: 'there is no axis 1' },
    { operands: [f32('B', 'S'), of('i32', 1)], says: 'the axes must be i64' },
    { operands: [i32('B', 'S')], says: 'is i32, not floating' },
  ],
}

const CASES: Readonly<Record<string, Case>> = {
  MatMul: product,
  FusedMatMul: {
    right: [
      ...product.right,
      { operands: [f32('T', 4), f32(6, 4)], attributes: transposed, makes: f32('T', 6) },
      {
        operands: [f32('B', 2, 'S', 8), f32('B', 2, 'S', 8)],
        attributes: transposed,
        makes: f32('B', 2, 'S', 'S'),
      },
    ],
    wrong: [
      ...product.wrong,
      { operands: [f32('T', 4), f32(4, 6)], attributes: transposed, says: '4 is not 6' },
    ],
  },
  Gemm: {
    right: [
      { operands: [f32('T', 4), f32(6, 4), f32(6)], attributes: transposed, makes: f32('T', 6) },
      { operands: [f32('T', 4), f32(6, 4)], attributes: transposed, makes: f32('T', 6) },
      { operands: [f32('T', 4), f32(6, 4), f32('T', 6)], attributes: transposed, makes: f32('T', 6) },
    ],
    wrong: [
      { operands: [f32('T', 4), f32(4, 6)], attributes: transposed, says: '4 is not 6' },
      { operands: [f32('T', 4), f32(6, 4), f32(4)], attributes: transposed, says: '4 is not 6' },
      { operands: [f32('T', 4), f32(6, 4), f32('B', 6)], attributes: transposed, says: 'B is not T' },
      { operands: [f32('T', 4), f32(6, 4), f32('T', 4)], attributes: transposed, says: '4 is not 6' },
      {
        operands: [f32('T', 4), f32(6, 4), f32(1, 'T', 6)],
        attributes: transposed,
        says: 'must be a vector or a matrix',
      },
      { operands: [f32('B', 'S', 4), f32(6, 4)], attributes: transposed, says: 'must be matrices' },
      { operands: [f32('T', 4), f32(4)], attributes: transposed, says: 'must be matrices' },
      { operands: [f32('T', 4), of('i8', 6, 4)], attributes: transposed, says: 'is i8, not floating' },
      { operands: [i32('T', 4), f32(6, 4)], attributes: transposed, says: 'is i32, not floating' },
      { operands: [f32('T', 4), f32(6, 4)], attributes: { transB: { int: 0 } }, says: 'transB must be 1' },
      { operands: [f32('T', 4), f32(6, 4)], says: 'attribute transB is missing' },
      { operands: [f32('T', 4)], attributes: transposed, says: 'missing' },
    ],
  },
  ReduceMax: reduction,
  ReduceMin: reduction,
  ReduceL2: {
    right: [
      { operands: [f32('B', 4), of('i64', 1)], attributes: keepdims(1), makes: f32('B', 1) },
      { operands: [of('f16', 2, 3), of('i64', 1)], makes: of('f16', 2, 1) },
    ],
    wrong: [
      { operands: [f32('B', 'S', 4), of('i64', 1)], says: 'it must be a matrix' },
      { operands: [f32('B'), of('i64', 1)], says: 'it must be a matrix' },
      { operands: [f32('B', 4), of('i64', 1)], attributes: keepdims(0), says: 'keepdims must be 1' },
      { operands: [f32('B', 4), i32(1)], says: 'the axes must be i64' },
      { operands: [f32('B', 4)], says: 'missing' },
      { operands: [i32('B', 4), of('i64', 1)], says: 'is i32, not floating' },
    ],
  },
  TopK: {
    right: [
      {
        operands: [f32('B', 'S', 4), of('i64', 1)],
        attributes: { axis: { int: 1 } },
        makes: f32('B', 1, 4),
        more: [of('i64', 'B', 1, 4)],
      },
    ],
    wrong: [
      { operands: [f32('B', 'S', 4), of('i64', 1)], says: 'axis must be 1' },
      { operands: [f32('B', 'S', 4), of('i64', 2)], attributes: { axis: { int: 1 } }, says: 'i64 [1]' },
      { operands: [f32('B', 'S', 4), i32(1)], attributes: { axis: { int: 1 } }, says: 'i64 [1]' },
      { operands: [f32('B'), of('i64', 1)], attributes: { axis: { int: 1 } }, says: 'there is no axis 1' },
      { operands: [i32('B', 'S'), of('i64', 1)], attributes: { axis: { int: 1 } }, says: 'not floating' },
    ],
  },
}

test('every matrix operator has cases here', () => {
  expect(Object.keys(CASES).sort()).toEqual(Object.keys(MATRIX).sort())
})

testOperators(CASES)
