import { expect, test } from 'vitest'
import { ELEMENTWISE } from '../../../../src/graph/ops/elementwise.ts'
import type { Case } from '../operator-cases.ts'
import { f32, i32, none, of, testOperators, unary } from '../operator-cases.ts'

/** Operands that broadcast, and what they make in `dtype`, or in their own. */
function elementwise(dtype?: 'bool'): Case {
  return {
    right: [
      { operands: [f32('T', 4), f32('T', 4)], makes: of(dtype ?? 'f32', 'T', 4) },
      { operands: [f32('T', 4), f32('T', 1)], makes: of(dtype ?? 'f32', 'T', 4) },
      { operands: [f32(4), f32('B', 'S', 4)], makes: of(dtype ?? 'f32', 'B', 'S', 4) },
      { operands: [f32('T', 1), f32(1, 4)], makes: of(dtype ?? 'f32', 'T', 4) },
      { operands: [i32('B'), i32(1)], makes: of(dtype ?? 'i32', 'B') },
      { operands: [i32(1, 'S'), i32('S', 1)], makes: of(dtype ?? 'i32', 'S', 'S') },
      { operands: [f32(), f32(2)], makes: of(dtype ?? 'f32', 2) },
    ],
    wrong: [
      { operands: [f32('T', 4), f32('T', 5)], says: '4 and 5 do not broadcast' },
      { operands: [f32('T', 4), f32('B', 4)], says: 'T and B do not broadcast' },
      { operands: [f32('T', 4), f32('T')], says: '4 and T do not broadcast' },
      { operands: [f32('T', 4), of('f16', 'T', 4)], says: 'f32 and f16 do not mix' },
      { operands: [of('bool', 4), of('bool', 4)], says: 'is bool, not a number' },
      { operands: [f32('T', 4)], says: 'missing' },
    ],
  }
}

/** Integers have signs as well. */
const signed: Case = {
  right: [
    { operands: [i32('S', 'S')], makes: i32('S', 'S') },
    { operands: [f32(4)], makes: f32(4) },
  ],
  wrong: [
    { operands: [of('bool', 4)], says: 'is bool, not a number' },
    { operands: [], says: 'missing' },
  ],
}

const biased: Case = {
  right: [
    { operands: [f32('T', 4), f32(4)], makes: f32('T', 4) },
    { operands: [of('f16', 'B', 'S', 4), of('f16', 4)], makes: of('f16', 'B', 'S', 4) },
    { operands: [f32('T', 4)], makes: f32('T', 4) },
  ],
  wrong: [
    { operands: [f32('T', 4), f32(5)], says: '5 is not 4' },
    { operands: [f32('T', 4), f32(1, 4)], says: 'the bias must be a vector' },
    { operands: [f32('T', 4), of('f16', 4)], says: 'f32 and f16 do not mix' },
    { operands: [i32('T', 4), i32(4)], says: 'is i32, not floating' },
    { operands: [], says: 'missing' },
  ],
}

const CASES: Readonly<Record<string, Case>> = {
  Add: elementwise(),
  Sub: elementwise(),
  Mul: elementwise(),
  Div: elementwise(),
  LessOrEqual: elementwise('bool'),
  Equal: elementwise('bool'),
  Abs: signed,
  Neg: signed,
  Sqrt: unary,
  Log: unary,
  Cos: unary,
  Sin: unary,
  Relu: unary,
  LeakyRelu: unary,
  Elu: unary,
  Selu: unary,
  Softplus: unary,
  Tanh: unary,
  Sigmoid: unary,
  Gelu: unary,
  QuickGelu: unary,
  BiasGelu: biased,
  FastGelu: biased,
  Softmax: {
    right: [...unary.right, { operands: [f32('T', 4)], attributes: axis(-1), makes: f32('T', 4) }],
    wrong: [...unary.wrong, { operands: [f32('T', 4)], attributes: axis(0), says: 'axis must be -1' }],
  },
  Max: {
    right: [...elementwise().right, { operands: [f32('T', 1), f32('T', 1), f32()], makes: f32('T', 1) }],
    wrong: [
      { operands: [f32('T', 4), f32('T', 4), f32('T', 5)], says: '4 and 5 do not broadcast' },
      { operands: [f32('T', 4), of('f16', 'T', 4)], says: 'f32 and f16 do not mix' },
      { operands: [of('bool', 4), of('bool', 4)], says: 'is bool, not a number' },
    ],
  },
  Where: {
    right: [
      { operands: [of('bool', 'S', 'S'), f32(), f32()], makes: f32('S', 'S') },
      { operands: [of('bool', 'B', 1), i32('S'), i32(1)], makes: i32('B', 'S') },
      { operands: [of('bool', 1), f32('T', 1), f32(1, 4)], makes: f32('T', 4) },
    ],
    wrong: [
      { operands: [i32('S'), f32(), f32()], says: 'the condition is i32, not bool' },
      { operands: [of('bool', 'S'), f32(), i32()], says: 'f32 and i32 do not mix' },
      { operands: [of('bool', 'S'), f32('T'), f32()], says: 'S and T do not broadcast' },
      { operands: [of('bool', 'S'), f32(3), f32(2)], says: '3 and 2 do not broadcast' },
      { operands: [of('bool', 'S'), f32()], says: 'missing' },
      { operands: [none, f32(), f32()], says: 'missing' },
    ],
  },
  Clip: {
    right: [
      { operands: [i32('S', 'S'), i32(), i32()], makes: i32('S', 'S') },
      { operands: [f32('T'), none, f32()], makes: f32('T') },
      { operands: [f32('T')], makes: f32('T') },
    ],
    wrong: [
      { operands: [i32('S'), i32(1), i32()], says: 'a bound must be a scalar' },
      { operands: [i32('S'), i32(), i32('S')], says: 'a bound must be a scalar' },
      { operands: [i32('S'), f32(), i32()], says: 'i32 and f32 do not mix' },
      { operands: [of('bool', 'S')], says: 'is bool, not a number' },
      { operands: [none, i32()], says: 'missing' },
    ],
  },
  Cast: {
    right: [
      { operands: [of('i8', 3, 4)], attributes: to(1), makes: f32(3, 4) },
      { operands: [f32('B')], attributes: to(10), makes: of('f16', 'B') },
      { operands: [f32()], attributes: to(16), makes: of('bf16') },
      { operands: [i32()], attributes: to(7), makes: of('i64') },
      { operands: [i32('S')], attributes: to(9), makes: of('bool', 'S') },
    ],
    wrong: [
      { operands: [f32(2)], attributes: to(8), says: 'cannot cast to ONNX type 8' },
      { operands: [f32(2)], says: 'attribute to is missing' },
      { operands: [f32(2)], attributes: { to: { float: 1 } }, says: 'attribute to is missing' },
      { operands: [], attributes: to(1), says: 'missing' },
    ],
  },
}

function axis(int: number) {
  return { axis: { int } }
}

function to(int: number) {
  return { to: { int } }
}

test('every elementwise operator has cases here', () => {
  expect(Object.keys(CASES).sort()).toEqual(Object.keys(ELEMENTWISE).sort())
})

testOperators(CASES)
