import { expect, test } from 'vitest'
import { NORMS } from '../../../../src/graph/ops/norms.ts'
import type { Case } from '../operator-cases.ts'
import { f32, i32, none, of, testOperators, unary } from '../operator-cases.ts'

const normalization: Case = {
  right: [
    { operands: [f32('T', 4), f32(4), f32(4)], makes: f32('T', 4) },
    { operands: [f32('B', 'S', 4), f32(4)], makes: f32('B', 'S', 4) },
    { operands: [of('bf16', 'T', 4), of('bf16', 4)], makes: of('bf16', 'T', 4) },
  ],
  wrong: [
    { operands: [f32('T', 4), f32(5), f32(4)], says: '5 is not 4' },
    { operands: [f32('T', 4), f32(4), f32(3)], says: '3 is not 4' },
    { operands: [f32('T', 4), f32(1, 4), f32(4)], says: 'weight and bias must be vectors' },
    { operands: [f32('T', 4), of('f16', 4)], says: 'f32 and f16 do not mix' },
    { operands: [of('i8', 'T', 4), f32(4), f32(4)], says: 'is i8, not floating' },
    { operands: [f32(), f32(4)], says: 'missing' },
  ],
}

const x = f32('T', 4)
/** Mean and inverse deviation of each token, then the sum. */
const more = [f32('T', 1), f32('T', 1), x]

const skip: Case = {
  right: [
    { operands: [x, x, f32(4), f32(4)], makes: x, more },
    { operands: [x, x, f32(4)], makes: x, more },
    // statistics are float32 in every precision
    {
      operands: [of('f16', 'B', 'S', 8), of('f16', 'B', 'S', 8), of('f16', 8)],
      makes: of('f16', 'B', 'S', 8),
      more: [f32('B', 'S', 1), f32('B', 'S', 1), of('f16', 'B', 'S', 8)],
    },
  ],
  wrong: [
    { operands: [x, f32('B', 4), f32(4)], says: 'T is not B' },
    { operands: [x, f32('T', 5), f32(4)], says: '4 is not 5' },
    { operands: [x, f32('T', 4, 1), f32(4)], says: 'ranks differ' },
    { operands: [x, f32('T'), f32(4)], says: 'ranks differ' },
    { operands: [x, of('f16', 'T', 4), f32(4)], says: 'f32 and f16 do not mix' },
    { operands: [x, x, f32(5)], says: '5 is not 4' },
    { operands: [x, x, f32(4), f32(3)], says: '3 is not 4' },
    { operands: [x, x, f32(1, 4)], says: 'weight and bias must be vectors' },
    { operands: [i32('T', 4), x, f32(4)], says: 'is i32, not floating' },
    { operands: [x], says: 'missing' },
  ],
}

const CASES: Readonly<Record<string, Case>> = {
  LpNormalization: {
    right: unary.right,
    wrong: [
      ...unary.wrong,
      { operands: [f32('T', 4)], attributes: { axis: { int: 0 } }, says: 'axis must be -1' },
    ],
  },
  LayerNormalization: normalization,
  SimplifiedLayerNormalization: normalization,
  SkipLayerNormalization: {
    right: [...skip.right, { operands: [x, x, f32(4), none, f32(4)], makes: x, more }],
    wrong: [...skip.wrong, { operands: [x, x, f32(4), f32(4), f32(3)], says: '3 is not 4' }],
  },
  SkipSimplifiedLayerNormalization: skip,
}

test('every norm has cases here', () => {
  expect(Object.keys(CASES).sort()).toEqual(Object.keys(NORMS).sort())
})

testOperators(CASES)
