import { describe, expect, test } from 'vitest'
import type { FloatDtype } from '../../../../src/graph/ir.ts'
import { hasNonFinite, narrow, widen } from '../../../../src/runtime/weights/convert.ts'

/** What the bits of a positive half say, by the definition of IEEE 754: 5 bits of exponent, 10 of mantissa. */
function half(bits: number): number {
  const exponent = bits >> 10
  const mantissa = bits & 1023
  if (exponent === 31) return mantissa === 0 ? Infinity : NaN
  return exponent === 0 ? mantissa * 2 ** -24 : (1024 + mantissa) * 2 ** (exponent - 25)
}

const INFINITE_HALF = 0x7c00

function bitsOf(values: ArrayLike<number>, dtype: FloatDtype): number[] {
  const bytes = narrow(Float32Array.from(values), dtype, new ArrayBuffer(4 * values.length))
  return [
    ...(dtype === 'f32' ? new Uint32Array(bytes.slice().buffer) : new Uint16Array(bytes.slice().buffer)),
  ]
}

/** The float32 next to this one, up or down. */
function neighbour(value: number, step: 1 | -1): number {
  const floats = Float32Array.of(value)
  const bits = new Uint32Array(floats.buffer)
  bits[0] = (bits[0] ?? 0) + step
  return floats[0] ?? NaN
}

describe('float32 to float16', () => {
  const halves = Array.from({ length: INFINITE_HALF }, (_, bits) => bits)

  test('keeps every finite half, both signs, subnormal ones among them', () => {
    expect(bitsOf(halves.map(half), 'f16')).toEqual(halves)
    expect(
      bitsOf(
        halves.map((bits) => -half(bits)),
        'f16',
      ),
    ).toEqual(halves.map((bits) => bits | 0x8000))
  })

  test('takes what is half-way between two to the even one, and anything nearer to the nearer', () => {
    // Beyond the largest half stands what the next would be, had the format one more exponent.
    const middles = halves.map(
      (bits) => (half(bits) + (bits + 1 === INFINITE_HALF ? 65_536 : half(bits + 1))) / 2,
    )
    expect(bitsOf(middles, 'f16')).toEqual(halves.map((bits) => (bits % 2 === 0 ? bits : bits + 1)))
    expect(
      bitsOf(
        middles.map((middle) => neighbour(middle, -1)),
        'f16',
      ),
    ).toEqual(halves)
    expect(
      bitsOf(
        middles.map((middle) => neighbour(middle, 1)),
        'f16',
      ),
    ).toEqual(halves.map((bits) => bits + 1))
  })

  test('makes an infinity of what is too large, and keeps infinities and NaN', () => {
    expect(bitsOf([65_504, 65_519.99, 65_520, 1e30, Infinity, -1e9], 'f16')).toEqual([
      0x7bff, 0x7bff, 0x7c00, 0x7c00, 0x7c00, 0xfc00,
    ])
    const [nan = 0] = bitsOf([NaN], 'f16')
    expect(half(nan & 0x7fff)).toBeNaN()
  })

  test('tells whether a half is finite', () => {
    const finite = (...values: number[]) =>
      hasNonFinite(narrow(Float32Array.from(values), 'f16', new ArrayBuffer(64)))
    expect(finite(1, -65_504, 1e-8, 0)).toBe(false)
    expect(finite(1, 65_520)).toBe(true)
    expect(finite(-Infinity, 1)).toBe(true)
    expect(finite(1, NaN)).toBe(true)
  })
})

describe('float32 to bfloat16', () => {
  const uppers = Array.from({ length: 0x7f80 }, (_, bits) => bits)
  const floatsOf = (bits: readonly number[]) => new Float32Array(Uint32Array.from(bits).buffer)

  test('keeps every number that has no lower half', () => {
    expect(bitsOf(floatsOf(uppers.map((bits) => bits << 16)), 'bf16')).toEqual(uppers)
    expect(bitsOf(floatsOf(uppers.map((bits) => (bits | 0x8000) << 16)), 'bf16')).toEqual(
      uppers.map((bits) => bits | 0x8000),
    )
  })

  test('takes what is half-way between two to the even one, and anything nearer to the nearer', () => {
    const rounded = (lower: number) => bitsOf(floatsOf(uppers.map((bits) => (bits << 16) | lower)), 'bf16')
    expect(rounded(0x8000)).toEqual(uppers.map((bits) => (bits % 2 === 0 ? bits : bits + 1)))
    expect(rounded(0x7fff)).toEqual(uppers)
    expect(rounded(0x8001)).toEqual(uppers.map((bits) => bits + 1))
  })

  test('keeps infinities, and NaN whatever its bits', () => {
    expect(bitsOf([Infinity, -Infinity], 'bf16')).toEqual([0x7f80, 0xff80])
    for (const bits of [0x7f80_0001, 0x7fff_ffff, 0xff80_0001, 0xffff_ffff, 0x7fc0_0000]) {
      const [upper = 0] = bitsOf(floatsOf([bits]), 'bf16')
      expect(floatsOf([upper << 16])[0], bits.toString(16)).toBeNaN()
    }
  })
})

describe('what is stored', () => {
  const out = new Float32Array(8)

  test('becomes float32 exactly, from each dtype', () => {
    const halves = Uint16Array.of(0x0001, 0x83ff, 0x0400, 0x3c01, 0xfbff, 0x7c00)
    const expected = [half(1), -half(0x3ff), half(0x400), half(0x3c01), -65_504, Infinity]
    expect([...widen(halves.buffer, 'F16', 6, out)]).toEqual(expected)
    const uppers = Uint16Array.of(0x3f80, 0xc049, 0x0001, 0xff80)
    expect([...widen(uppers.buffer, 'BF16', 4, out)]).toEqual([1, -3.140625, 2 ** -133, -Infinity])
    expect([...widen(Int8Array.of(-128, -1, 0, 127).buffer, 'I8', 4, out)]).toEqual([-128, -1, 0, 127])
    expect([...widen(Float32Array.of(0.1, -3).buffer, 'F32', 2, out)]).toEqual([Math.fround(0.1), -3])
  })

  test('of fp8 is what the bits say, in all 256 of them', () => {
    const codes = Uint8Array.from({ length: 256 }, (_, code) => code)
    const numbers = widen(codes.buffer, 'F8_E4M3', 256, new Float32Array(256))
    // Moved into place, the bits are those of a float16, whose exponent has a bias of 15 instead of 7.
    const expected = new Float16Array(
      Uint16Array.from(codes, (c) => ((c & 128) << 8) | ((c & 127) << 7)).buffer,
    )
    for (const [code, number] of numbers.entries())
      expect(number, String(code)).toBe((code & 127) === 127 ? NaN : (expected[code] as number) * 256)
    expect(numbers[0x7e]).toBe(448)
    expect([numbers[1], numbers[0x81]]).toEqual([2 ** -9, -(2 ** -9)])
    expect(Object.is(numbers[128], -0)).toBe(true)
  })

  test('is read as many numbers as are asked for', () => {
    expect(widen(Int8Array.of(1, 2, 3).buffer, 'I8', 2, out)).toHaveLength(2)
    expect(narrow(Float32Array.of(1, 2), 'bf16', new ArrayBuffer(64))).toHaveLength(4)
    expect(narrow(Float32Array.of(1, 2), 'f32', new ArrayBuffer(64))).toHaveLength(8)
  })
})
