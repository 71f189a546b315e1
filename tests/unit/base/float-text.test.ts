import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { shortenFloat32 } from '../../../src/base/float-text.ts'

const SMALLEST_NORMAL = 2 ** -126
const SMALLEST_SUBNORMAL = 2 ** -149
const LARGEST = (2 - 2 ** -23) * 2 ** 127

function fromBits(bits: number): number {
  return new Float32Array(Uint32Array.of(bits).buffer)[0] as number
}

const anyFloat = fc.integer({ min: 0, max: 0xffff_ffff }).map(fromBits)
/** What vectors are made of. */
const vectorFloat = fc.double({ min: -1, max: 1, noNaN: true }).map(Math.fround)
const normalFloat = fc
  .oneof(anyFloat, vectorFloat)
  .filter((value) => Number.isFinite(value) && Math.abs(value) >= SMALLEST_NORMAL)

/** The shortest of the roundings to 1, 2, … 9 digits that gives the same float32. */
function shortest(value: number): number {
  for (let digits = 1; digits <= 9; digits++) {
    const rounded = Number(value.toPrecision(digits))
    if (Math.fround(rounded) === value) return rounded
  }
  throw new Error(`nine digits do not tell ${value}`)
}

function digitsOf(value: number): number {
  return Math.abs(value).toExponential().replace(/e.*/, '').replace('.', '').length
}

test('every finite float32 comes back from its text bit by bit', () => {
  fc.assert(
    fc.property(fc.oneof(anyFloat, vectorFloat).filter(Number.isFinite), (value) => {
      expect(Math.fround(Number(JSON.stringify(shortenFloat32(value))))).toBe(value === 0 ? 0 : value)
    }),
    { numRuns: 20_000 },
  )
})

test('a normal float32 has as few digits as any text of it can have', () => {
  fc.assert(
    fc.property(normalFloat, (value) => {
      expect(digitsOf(shortenFloat32(value))).toBe(digitsOf(shortest(value)))
    }),
    { numRuns: 20_000 },
  )
})

test('no text is longer than that of the widened number', () => {
  fc.assert(
    fc.property(anyFloat.filter(Number.isFinite), (value) => {
      expect(String(shortenFloat32(value)).length).toBeLessThanOrEqual(String(value).length)
    }),
    { numRuns: 5000 },
  )
})

describe('values that people know', () => {
  test.each([
    [0.1, '0.1'],
    [-0.1, '-0.1'],
    [1 / 3, '0.33333334'],
    [2 / 3, '0.6666667'],
    [1, '1'],
    [-5, '-5'],
    [0.001, '0.001'],
    [1e-7, '1e-7'],
    [1e-10, '1e-10'],
    [16_777_216, '16777216'],
    [16_777_217, '16777216'],
    [1e9, '1000000000'],
    [1e10, '10000000000'],
    [1e23, '1e+23'],
    [1e38, '1e+38'],
  ])('the float32 of %d is written %s', (value, text) => {
    expect(String(shortenFloat32(Math.fround(value)))).toBe(text)
  })

  test.each(Array.from({ length: 76 }, (_, index) => index - 37))(
    '10 to the power of %i is one digit',
    (power) => {
      const value = Math.fround(10 ** power)
      expect(digitsOf(shortenFloat32(value))).toBe(1)
      expect(Math.fround(shortenFloat32(value))).toBe(value)
    },
  )
})

describe('the edges', () => {
  test('zero keeps its sign', () => {
    expect(shortenFloat32(0)).toBe(0)
    expect(shortenFloat32(-0)).toBe(-0)
  })

  test.each([
    ['largest', LARGEST, '3.4028235e+38'],
    ['smallest normal', SMALLEST_NORMAL, '1.1754944e-38'],
  ])('the %s number has its usual text', (_, value, text) => {
    expect(String(shortenFloat32(value))).toBe(text)
    expect(String(shortenFloat32(-value))).toBe(`-${text}`)
  })

  // Six digits are tried first, and those of a subnormal number can have a shorter text: 1e-45 for the smallest.
  test('subnormal numbers come back, though not always from their shortest text', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 0x7f_ffff }).map(fromBits), (value) => {
        const short = shortenFloat32(value)
        expect(Math.fround(short)).toBe(value)
        expect(digitsOf(short)).toBeLessThanOrEqual(Math.max(6, digitsOf(shortest(value))))
      }),
      { numRuns: 5000 },
    )
    expect(Math.fround(shortenFloat32(SMALLEST_SUBNORMAL))).toBe(SMALLEST_SUBNORMAL)
  })

  test.each([NaN, Infinity, -Infinity])('%d is left as it is', (value) => {
    expect(shortenFloat32(value)).toBe(value)
  })
})
