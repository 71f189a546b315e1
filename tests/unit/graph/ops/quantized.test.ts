import { expect, test } from 'vitest'
import { QUANTIZED } from '../../../../src/graph/ops/quantized.ts'
import type { Case } from '../operator-cases.ts'
import { f32, none, of, testOperators } from '../operator-cases.ts'

const i8 = of('i8', 4, 6)
const u8 = of('u8', 'T', 4)
const zero = of('u8')

/** Of what stands behind the left side of a product. */
const CASES: Readonly<Record<string, Case>> = {
  QuantizeLinear: {
    right: [{ operands: [f32('T', 4), f32(), zero], makes: of('u8', 'T', 4) }],
    wrong: [
      { operands: [u8, f32(), zero], says: 'is u8, not f32' },
      { operands: [f32('T', 4), f32('T'), zero], says: 'must be a scalar' },
      { operands: [f32('T', 4), f32(), of('u8', 'T')], says: 'must be a scalar' },
      { operands: [f32('T', 4), f32(), of('i8')], says: 'is i8, not u8' },
      { operands: [f32('T', 4), f32()], says: 'missing' },
    ],
  },
  DequantizeLinear: {
    right: [{ operands: [u8, f32(), zero], makes: f32('T', 4) }],
    wrong: [
      { operands: [f32('T', 4), f32(), zero], says: 'is f32, not u8' },
      { operands: [u8, f32(4), zero], says: 'must be a scalar' },
      { operands: [u8, f32()], says: 'missing' },
    ],
  },
  DynamicQuantizeMatMul: {
    right: [
      { operands: [f32('T', 4), i8, f32(6)], makes: f32('T', 6) },
      { operands: [f32('T', 4), i8, f32(6), none, f32(6)], makes: f32('T', 6) },
    ],
    wrong: [
      { operands: [f32('T', 5), i8, f32(6)], says: '5 is not 4' },
      { operands: [f32('T', 4), of('u8', 4, 6), f32(6)], says: 'is u8, not i8' },
      { operands: [f32('T', 4), i8, f32()], says: 'scales and bias must be vectors' },
      { operands: [f32('T', 4), i8, f32(4)], says: '4 is not 6' },
      { operands: [f32('T', 4), i8, f32(6), none, f32(4)], says: '4 is not 6' },
      { operands: [f32('T', 4), i8, f32(6), of('i8', 6)], says: 'no zero points' },
      { operands: [f32('B', 'S', 4), i8, f32(6)], says: 'must be matrices' },
      { operands: [u8, i8, f32(6)], says: 'is u8, not f32' },
    ],
  },
  MatMulIntegerToFloat: {
    right: [
      { operands: [u8, i8, f32(), f32(6), zero], makes: f32('T', 6) },
      { operands: [u8, i8, f32(), f32(6), zero, none, f32(6)], makes: f32('T', 6) },
    ],
    wrong: [
      { operands: [f32('T', 4), i8, f32(), f32(6), zero], says: 'is f32, not u8' },
      { operands: [u8, i8, f32('T'), f32(6), zero], says: 'must be a scalar' },
      { operands: [u8, i8, f32(), f32(6)], says: 'missing' },
      { operands: [u8, i8, f32(), f32(5), zero], says: '5 is not 6' },
      { operands: [u8, i8, f32(), f32(6), zero, of('i8', 6)], says: 'no zero points' },
    ],
  },
}

test('every operator of 8 bits has cases here', () => {
  expect(Object.keys(CASES).sort()).toEqual(Object.keys(QUANTIZED).sort())
})

testOperators(CASES)
