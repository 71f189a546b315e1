import { expect, test } from 'vitest'
import { OPERATORS, inferOutput } from '../../../src/graph/ops.ts'
import { expectRefusal } from '../model/expect-refusal.ts'
import type { Attributes, Case, Operand } from './operator-cases.ts'
import { f32, i32, of, testOperators } from './operator-cases.ts'

const none = undefined

const unary: Case = {
  right: [
    { operands: [f32('T', 4)], makes: f32('T', 4) },
    { operands: [of('f16', 'B', 'S', 2)], makes: of('f16', 'B', 'S', 2) },
    { operands: [of('bf16')], makes: of('bf16') },
  ],
  wrong: [
    { operands: [i32('T')], says: 'is i32, not floating' },
    { operands: [of('i8', 4)], says: 'is i8, not floating' },
    { operands: [], says: 'an operand or a dimension is missing' },
  ],
}

const elementwise: Case = {
  right: [
    { operands: [f32('T', 4), f32('T', 4)], makes: f32('T', 4) },
    { operands: [f32('T', 4), f32('T', 1)], makes: f32('T', 4) },
    { operands: [f32(4), f32('B', 'S', 4)], makes: f32('B', 'S', 4) },
    { operands: [f32('T', 1), f32(1, 4)], makes: f32('T', 4) },
    { operands: [i32('B'), i32(1)], makes: i32('B') },
    { operands: [f32(), f32(2)], makes: f32(2) },
  ],
  wrong: [
    { operands: [f32('T', 4), f32('T', 5)], says: '4 and 5 do not broadcast' },
    { operands: [f32('T', 4), f32('B', 4)], says: 'T and B do not broadcast' },
    { operands: [f32('T', 4), f32('T')], says: '4 and T do not broadcast' },
    { operands: [f32('T', 4), of('f16', 'T', 4)], says: 'f32 and f16 do not mix' },
    { operands: [f32('T', 4)], says: 'missing' },
  ],
}

const axis = (int: number): Attributes => ({ axis: { int } })
const transposed: Attributes = { transB: { int: 1 } }
const heads = (count: number, keys: number): Attributes => ({
  num_heads: { int: count },
  kv_num_heads: { int: keys },
})
/** Operands of GroupQueryAttention: the packed query, four that are left out, lengths and the longest. */
const grouped = (query: Operand, lengths: Operand = i32('B')) => [
  query,
  none,
  none,
  none,
  none,
  lengths,
  i32(),
]

const CASES: Readonly<Record<string, Case>> = {
  Add: elementwise,
  Mul: elementwise,
  Relu: unary,
  Tanh: unary,
  Sigmoid: unary,
  Softmax: unary,
  Gelu: unary,
  QuickGelu: unary,
  LpNormalization: unary,
  Cast: {
    right: [
      { operands: [of('i8', 3, 4)], attributes: { to: { int: 1 } }, makes: f32(3, 4) },
      { operands: [f32('B')], attributes: { to: { int: 10 } }, makes: of('f16', 'B') },
      { operands: [f32()], attributes: { to: { int: 16 } }, makes: of('bf16') },
      { operands: [i32()], attributes: { to: { int: 7 } }, makes: of('i64') },
    ],
    wrong: [
      { operands: [f32(2)], attributes: { to: { int: 9 } }, says: 'cannot cast to ONNX type 9' },
      { operands: [f32(2)], says: 'attribute to is missing' },
      { operands: [f32(2)], attributes: { to: { float: 1 } }, says: 'attribute to is missing' },
      { operands: [], attributes: { to: { int: 1 } }, says: 'missing' },
    ],
  },
  Gather: {
    right: [
      { operands: [f32(50, 4), i32('T')], makes: f32('T', 4) },
      { operands: [of('i8', 50, 4), of('i64', 'B', 'S')], makes: of('i8', 'B', 'S', 4) },
      { operands: [f32('T', 4), i32('B')], makes: f32('B', 4) },
      { operands: [f32(50), i32()], makes: f32() },
    ],
    wrong: [
      { operands: [f32(50, 4), f32('T')], says: 'indices are f32, not integers' },
      { operands: [f32(50, 4), of('i8', 'T')], says: 'indices are i8' },
      { operands: [f32(), i32('T')], says: 'the table has no axis' },
      { operands: [f32(50, 4)], says: 'missing' },
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
  Reshape: {
    right: [
      { operands: [f32('B', 'S', 8)], declared: f32('B*S', 8), makes: f32('B*S', 8) },
      { operands: [f32('B*S', 8)], declared: f32('S', 'B', 2, 4), makes: f32('S', 'B', 2, 4) },
      { operands: [of('i8', 6)], declared: of('i8', 2, 3), makes: of('i8', 2, 3) },
    ],
    wrong: [
      { operands: [f32('B', 'S', 8)], declared: f32('B', 8), says: 'has not the elements of [B, 8]' },
      { operands: [f32('T', 8)], declared: f32('B', 8), says: 'has not the elements of [B, 8]' },
      { operands: [f32(6)], declared: f32(2, 4), says: 'has not the elements of [2, 4]' },
      { operands: [f32(6)], says: 'missing' },
      { operands: [], declared: f32(6), says: 'missing' },
    ],
  },
  MatMul: {
    right: [
      { operands: [f32('B', 'T'), f32('T', 4)], makes: f32('B', 4) },
      { operands: [of('f16', 2, 3), of('f16', 3, 5)], makes: of('f16', 2, 5) },
    ],
    wrong: [
      { operands: [f32('B', 'S'), f32('T', 4)], says: 'S is not T' },
      { operands: [f32(2, 3), f32(4, 5)], says: '3 is not 4' },
      { operands: [f32('B', 'S', 4), f32(4, 2)], says: 'both sides must be matrices' },
      { operands: [f32(3), f32(3, 2)], says: 'both sides must be matrices' },
      { operands: [i32(2, 3), f32(3, 2)], says: 'is i32, not floating' },
      { operands: [f32(2, 3), of('i8', 3, 2)], says: 'is i8, not floating' },
      { operands: [f32(2, 3)], says: 'missing' },
    ],
  },
  Gemm: {
    right: [
      { operands: [f32('T', 4), f32(6, 4), f32(6)], attributes: transposed, makes: f32('T', 6) },
      { operands: [f32('T', 4), f32(6, 4)], attributes: transposed, makes: f32('T', 6) },
    ],
    wrong: [
      { operands: [f32('T', 4), f32(4, 6)], attributes: transposed, says: '4 is not 6' },
      { operands: [f32('T', 4), f32(6, 4), f32(4)], attributes: transposed, says: '4 is not 6' },
      { operands: [f32('T', 4), f32(6, 4), f32(1, 6)], attributes: transposed, says: 'must be a vector' },
      { operands: [f32('B', 'S', 4), f32(6, 4)], attributes: transposed, says: 'must be matrices' },
      { operands: [f32('T', 4), f32(4)], attributes: transposed, says: 'must be matrices' },
      { operands: [f32('T', 4), of('i8', 6, 4)], attributes: transposed, says: 'is i8, not floating' },
      { operands: [i32('T', 4), f32(6, 4)], attributes: transposed, says: 'is i32, not floating' },
      { operands: [f32('T', 4), f32(6, 4)], attributes: { transB: { int: 0 } }, says: 'transB must be 1' },
      { operands: [f32('T', 4), f32(6, 4)], says: 'attribute transB is missing' },
      { operands: [f32('T', 4)], attributes: transposed, says: 'missing' },
    ],
  },
  ReduceMax: {
    right: [
      {
        operands: [f32('B', 'S', 4), of('i64', 1)],
        attributes: { keepdims: { int: 0 } },
        makes: f32('B', 4),
      },
      { operands: [f32('B', 'S'), of('i64', 1)], attributes: { keepdims: { int: 0 } }, makes: f32('B') },
    ],
    wrong: [
      {
        operands: [f32('B'), of('i64', 1)],
        attributes: { keepdims: { int: 0 } },
        says: 'there is no axis 1',
      },
      { operands: [i32('B', 'S')], says: 'is i32, not floating' },
    ],
  },
  ReduceL2: {
    right: [
      { operands: [f32('B', 4), of('i64', 1)], attributes: { keepdims: { int: 1 } }, makes: f32('B', 1) },
      { operands: [of('f16', 2, 3), of('i64', 1)], makes: of('f16', 2, 1) },
    ],
    wrong: [
      { operands: [f32('B', 'S', 4), of('i64', 1)], says: 'it must be a matrix' },
      { operands: [f32('B'), of('i64', 1)], says: 'it must be a matrix' },
      {
        operands: [f32('B', 4), of('i64', 1)],
        attributes: { keepdims: { int: 0 } },
        says: 'keepdims must be 1',
      },
      { operands: [f32('B', 4), i32(1)], says: 'the axes must be i64' },
      { operands: [f32('B', 4)], says: 'missing' },
      { operands: [i32('B', 4), of('i64', 1)], says: 'is i32, not floating' },
    ],
  },
  LayerNormalization: {
    right: [
      { operands: [f32('T', 4), f32(4), f32(4)], makes: f32('T', 4) },
      { operands: [f32('B', 'S', 4), f32(4)], makes: f32('B', 'S', 4) },
    ],
    wrong: [
      { operands: [f32('T', 4), f32(5), f32(4)], says: '5 is not 4' },
      { operands: [f32('T', 4), f32(4), f32(3)], says: '3 is not 4' },
      { operands: [f32('T', 4), f32(1, 4), f32(4)], says: 'weight and bias must be vectors' },
      { operands: [of('i8', 'T', 4), f32(4), f32(4)], says: 'is i8, not floating' },
      { operands: [f32(), f32(4)], says: 'missing' },
    ],
  },
  GroupQueryAttention: {
    right: [
      { operands: grouped(f32('B', 'S', 48)), attributes: heads(2, 2), makes: f32('B', 'S', 16) },
      // 4 query heads, 2 for the keys and 2 for the values, of 8 numbers each
      { operands: grouped(f32('B', 'S', 64)), attributes: heads(4, 2), makes: f32('B', 'S', 32) },
    ],
    wrong: [
      { operands: grouped(f32('T', 48)), attributes: heads(2, 2), says: 'the query must be [B, S, width]' },
      { operands: grouped(f32('B', 'S', 'H')), attributes: heads(2, 2), says: 'the query must be' },
      {
        operands: grouped(f32('B', 'S', 50)),
        attributes: heads(2, 2),
        says: '50 does not split into 2 + 2 × 2',
      },
      { operands: grouped(f32('B', 'S', 48)), attributes: heads(3, 2), says: '3 heads are no multiple of 2' },
      { operands: grouped(f32('B', 'S', 48), f32('B')), attributes: heads(2, 2), says: 'an i32 vector' },
      { operands: grouped(f32('B', 'S', 48), i32()), attributes: heads(2, 2), says: 'an i32 vector' },
      { operands: [f32('B', 'S', 48)], attributes: heads(2, 2), says: 'missing' },
      { operands: grouped(i32('B', 'S', 48)), attributes: heads(2, 2), says: 'not floating' },
      { operands: grouped(f32('B', 'S', 48)), says: 'attribute num_heads is missing' },
    ],
  },
  MultiHeadAttention: multiHeadAttention(),
}

function multiHeadAttention(): Case {
  const x = f32('B', 'S', 20)
  const attributes: Attributes = { num_heads: { int: 2 } }
  return {
    right: [{ operands: [x, x, x, none, i32('B')], attributes, makes: x }],
    wrong: [
      { operands: [f32('T', 20), x, x, none, i32('B')], attributes, says: 'must be [B, S, width]' },
      { operands: [x, f32('B', 'S', 10), x, none, i32('B')], attributes, says: '20 is not 10' },
      { operands: [x, x, f32('B', 'T', 20), none, i32('B')], attributes, says: 'S is not T' },
      { operands: [x, x, f32('B', 'S'), none, i32('B')], attributes, says: 'missing' },
      { operands: [x, x, x, none, f32('B')], attributes, says: 'the lengths must be an i32 vector' },
      { operands: [x, x, x, none, i32('B', 1)], attributes, says: 'the lengths must be an i32 vector' },
      { operands: [x, x, x], attributes, says: 'missing' },
      { operands: [x, none, x, none, i32('B')], attributes, says: 'missing' },
    ],
  }
}

test('every operator of the table has cases here', () => {
  expect(Object.keys(CASES).sort()).toEqual(Object.keys(OPERATORS).sort())
})

testOperators(CASES)

test('an operator outside the table is refused by its name', async () => {
  await expectRefusal(
    () => inferOutput('Einsum', [], {}),
    'graph_invalid',
    'operator Einsum is not in the table',
  )
})
