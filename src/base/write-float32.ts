/** The JSON text of a float32 straight into bytes, for lists of millions: no double, no string, no second pass. */
import { shortenFloat32 } from './float-text.ts'
import { writeAscii } from './write-ascii.ts'

/** Bytes that must be free where a number is written: the longest text has 22. */
export const FLOAT32_ROOM = 24

/** Digits that always tell a float32 from its neighbours. */
const DIGITS = 9
/** Largest power of ten that is an exact double. */
const MOST_SCALE = 22
/** 0.0012 takes no more bytes than 1.2e-3; 0.00012 does. */
const LEAST_PLAIN_EXPONENT = -3
/** A scaled number is off by 2^-24 at most; half a step is never below 2. */
const DOUBT = 2 ** -20

const BIAS = 127
const SIZE_BITS = 0x7fff_ffff
const MANTISSA_BITS = 0x7f_ffff
const MINUS = 0x2d
const POINT = 0x2e
const ZERO = 0x30
/** `0.00`, little-endian. */
const ZERO_POINT = 0x3030_2e30

/**
 * What numbers of one binade and one decade have in common, by twice the biased binary exponent; one more where a decade
 * begins inside the binade and the number is not below it.
 */
const EXPONENTS = new Int8Array(512).fill(BIAS)
const SCALES = new Float64Array(512)
/** Half the distance to a neighbour, scaled. */
const HALF_STEPS = new Float64Array(512)
/** Bits of the first float32 of the decade that comes next, by the biased exponent. */
const NEXT_DECADES = new Int32Array(256).fill(SIZE_BITS)

for (let binade = 1; binade < 255; binade++) {
  const least = 2 ** (binade - BIAS)
  const exponent = Math.floor(Math.log10(least))
  NEXT_DECADES[binade] = bitsFrom(10 ** (exponent + 1))
  for (const later of [0, 1]) {
    const power = DIGITS - 1 - exponent - later
    if (power < 0 || power > MOST_SCALE) continue
    EXPONENTS[2 * binade + later] = exponent + later
    SCALES[2 * binade + later] = 10 ** power
    HALF_STEPS[2 * binade + later] = (least / 2 ** 24) * 10 ** power
  }
}

/** Bits of the least float32 that is not below `value`. */
function bitsFrom(value: number): number {
  const view = new DataView(new ArrayBuffer(4))
  view.setFloat32(0, value)
  return view.getInt32(0) + (view.getFloat32(0) < value ? 1 : 0)
}

/** The digits of 0000 to 9999, little-endian. */
const FOUR_DIGITS = new Uint32Array(10_000)
for (let high = 0; high < 100; high++) {
  for (let low = 0; low < 100; low++) FOUR_DIGITS[100 * high + low] = twoDigits(high) | (twoDigits(low) << 16)
}

function twoDigits(number: number): number {
  return ((ZERO + (number % 10)) << 8) | (ZERO + ((number / 10) | 0))
}

/**
 * Writes a shortest decimal text that reads back (as a double, then rounded) to the float32 `value`; `null` for what is
 * not finite. Returns where the text ends; bytes up to `FLOAT32_ROOM` may be overwritten.
 *
 * A power of ten scales the value to nine digits before the point. Whatever is nearer to it than half a step reads back to
 * it, so the fewest digits are found by rounding to tens, hundreds and so on. What doubles cannot scale or tell exactly
 * is left to `shortenFloat32`.
 */
export function writeFloat32(view: DataView, at: number, value: number): number {
  view.setFloat32(at, value, true)
  const bits = view.getInt32(at, true)
  const size = bits & SIZE_BITS
  const binade = size >>> 23
  // invariant: every index is inside its table
  const row = 2 * binade + (((NEXT_DECADES[binade] as number) - 1 - size) >>> 31)
  const exponent = EXPONENTS[row] as number
  if (exponent === BIAS) return writeSlowly(view, at, value)
  const halfStep = HALF_STEPS[row] as number
  // the neighbour below a power of two is half as far
  const halfStepDown = (size & MANTISSA_BITS) === 0 ? halfStep / 2 : halfStep
  const digits = roundShort(Math.abs(value) * (SCALES[row] as number), halfStepDown - DOUBT, halfStep + DOUBT)
  if (digits === undefined) return writeSlowly(view, at, value)
  view.setUint8(at, MINUS)
  return writeDigits(view, at + (bits >>> 31), digits, exponent)
}

/** `scaled` with as many zeros at its end as keep it within `sure`; undefined where one more might do too (`doubt`). */
function roundShort(scaled: number, sure: number, doubt: number): number | undefined {
  let short = (scaled + 0.5) | 0
  let step = 10
  let inverse = 0.1
  for (;;) {
    const rounded = ((scaled * inverse + 0.5) | 0) * step
    const distance = Math.abs(rounded - scaled)
    if (distance > doubt) break
    if (distance > sure) return undefined
    short = rounded
    step *= 10
    inverse *= 0.1
  }
  // rounded up into the next decade
  return short < 10 ** DIGITS ? short : undefined
}

/** Nine `digits`, the zeros at their end left out, the first worth 10^exponent. */
function writeDigits(view: DataView, at: number, digits: number, exponent: number): number {
  const isBelowOne = exponent < 0 && exponent >= LEAST_PLAIN_EXPONENT
  if (isBelowOne) view.setUint32(at, ZERO_POINT, true)
  // the point of other numbers goes among the digits, which make room for it
  const start = isBelowOne ? at + 1 - exponent : at + 1
  const first = (digits / 1e8) | 0
  const rest = digits - first * 1e8
  const high = (rest / 1e4) | 0
  const low = rest - high * 1e4
  view.setUint8(start, ZERO + first)
  view.setUint32(start + 1, FOUR_DIGITS[high] as number, true)
  view.setUint32(start + 5, FOUR_DIGITS[low] as number, true)
  const count = low === 0 ? (high === 0 ? 1 : 5 - zerosAtEnd(high)) : DIGITS - zerosAtEnd(low)
  if (isBelowOne) return start + count
  const whole = exponent < 0 ? 1 : exponent + 1
  for (let index = 0; index < whole; index++) view.setUint8(at + index, view.getUint8(start + index))
  view.setUint8(at + whole, POINT)
  const end = count > whole ? start + count : at + whole
  return exponent < 0 ? writeAscii(view, end, `e${exponent}`) : end
}

/** Of four digits that are not all zero. */
function zerosAtEnd(number: number): number {
  if (number % 10 !== 0) return 0
  if (number % 100 !== 0) return 1
  return number % 1000 === 0 ? 3 : 2
}

function writeSlowly(view: DataView, at: number, value: number): number {
  return writeAscii(view, at, Object.is(value, -0) ? '-0' : JSON.stringify(shortenFloat32(value)))
}
