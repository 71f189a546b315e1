/**
 * The two inner loops of `resample`, four and sixteen numbers at a time: JavaScript has no such instructions, WebAssembly has,
 * and a picture's time goes to them (a third of what plain loops take). Both give integers, so neither can differ from the loops
 * that they stand for. The module is put together here, as there is no build step.
 */
import { WEIGHT_BITS } from './resample-weights.ts'

// The part of it that is used: its types come with a browser's alone.
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object
  readonly Instance: new (module: object) => { readonly exports: Loops }
}

interface Loops {
  readonly memory: { readonly buffer: ArrayBuffer; readonly grow: (pages: number) => number }
  /**
   * Of one row: for each of `places` records at `plan` (first byte, count of taps, weights) the weighted sum of pixels from
   * `input`, three bytes to `output`, behind which it writes one byte more.
   */
  readonly squeezeRow: (input: number, output: number, plan: number, places: number) => void
  /** Of `taps` rows of `length` bytes, a multiple of 16, that follow each other from `input`: their weighted sum. */
  readonly addRows: (input: number, length: number, output: number, weights: number, taps: number) => void
}

const I32 = 0x7f
const V128 = 0x7b
const HALF = 1 << (WEIGHT_BITS - 1)
/** Bytes that a load or store may touch behind the last. */
export const SLACK = 16

/** Opcodes and what they take: WebAssembly's specification, 5.4. */
type Code = readonly number[]

/** Signed or unsigned below 2 ** 31, as WebAssembly writes integers. */
function encode(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  for (;;) {
    const low = rest & 0x7f
    rest >>= 7
    if (rest === 0 && (low & 0x40) === 0) return [...bytes, low]
    bytes.push(low | 0x80)
  }
}

function section(id: number, ...items: readonly Code[]): number[] {
  const body = [...encode(items.length), ...items.flat()]
  return [id, ...encode(body.length), ...body]
}

function name(text: string): number[] {
  return [text.length, ...Buffer.from(text)]
}

const get = (local: number): Code => [0x20, local]
const set = (local: number): Code => [0x21, local]
const constant = (value: number): Code => [0x41, ...encode(value)]
const simd = (code: number, ...rest: Code): Code => [
  0xfd,
  ...(code < 0x80 ? [code] : [(code & 0x7f) | 0x80, code >> 7]),
  ...rest,
]
const advance = (local: number, ...by: readonly Code[]): Code => [
  ...get(local),
  ...by.flat(),
  0x6a,
  ...set(local),
]

const LOAD_16 = simd(0x00, 0, 0)
const LOAD_4 = simd(0x5c, 2, 0)
const LOAD_SPLAT = simd(0x09, 2, 0)
const STORE_16 = simd(0x0b, 0, 0)
const SPLAT = simd(0x11)
const FIRST_LANE = simd(0x1b, 0)
const LOW_BYTES = simd(0x89)
const HIGH_BYTES = simd(0x8a)
const LOW_PAIRS = simd(0xa9)
const HIGH_PAIRS = simd(0xaa)
const ADD = simd(0xae)
const MULTIPLY = simd(0xb5)
const SHIFT = simd(0xac)
const NARROW_TO_PAIRS = simd(0x86)
const NARROW_TO_BYTES = simd(0x66)
const I32_LOAD = (offset: number): Code => [0x28, 2, ...encode(offset)]
const I32_STORE = [0x36, 0, 0]

/** Runs `body` until `counter`, lowered by `step` each time, is 0; at least once. */
function repeat(counter: number, step: number, ...body: readonly Code[]): Code {
  const lower = [...get(counter), ...constant(step), 0x6b, 0x22, counter]
  return [0x03, 0x40, ...body.flat(), ...lower, 0x0d, 0, 0x0b]
}

function func(locals: readonly (readonly [count: number, type: number])[], ...body: readonly Code[]): Code {
  const declared = [locals.length, ...locals.flat()]
  const code = [...declared, ...body.flat(), 0x0b]
  return [...encode(code.length), ...code]
}

const addUp = (sum: number, numbers: Code, scales: Code): Code => [
  ...get(sum),
  ...numbers,
  ...scales,
  ...MULTIPLY,
  ...ADD,
  ...set(sum),
]

const HALVES = [...constant(HALF), ...SPLAT]
const SHIFTED = [...constant(WEIGHT_BITS), ...SHIFT]

function squeezeRowCode(): Code {
  const [input, output, plan, places, from, taps, sum] = [0, 1, 2, 3, 4, 5, 6]
  return func(
    [
      [2, I32],
      [1, V128],
    ],
    repeat(
      places,
      1,
      [...get(input), ...get(plan), ...I32_LOAD(0), 0x6a, ...set(from)],
      [...get(plan), ...I32_LOAD(4), ...set(taps)],
      advance(plan, constant(8)),
      [...HALVES, ...set(sum)],
      repeat(
        taps,
        1,
        addUp(sum, [...get(from), ...LOAD_4, ...LOW_BYTES, ...LOW_PAIRS], [...get(plan), ...LOAD_SPLAT]),
        advance(from, constant(3)),
        advance(plan, constant(4)),
      ),
      [...get(sum), ...SHIFTED, ...set(sum)],
      [...get(sum), ...get(sum), ...NARROW_TO_PAIRS, ...set(sum)],
      [...get(output), ...get(sum), ...get(sum), ...NARROW_TO_BYTES, ...FIRST_LANE, ...I32_STORE],
      advance(output, constant(3)),
    ),
  )
}

function addRowsCode(): Code {
  const [input, length, output, weights, taps, left, from, weight, tap] = [0, 1, 2, 3, 4, 5, 6, 7, 8]
  const [row, scale, ...sums] = [9, 10, 11, 12, 13, 14]
  const widened = [
    [...LOW_BYTES, ...LOW_PAIRS],
    [...LOW_BYTES, ...HIGH_PAIRS],
    [...HIGH_BYTES, ...LOW_PAIRS],
    [...HIGH_BYTES, ...HIGH_PAIRS],
  ]
  const shifted = (index: number): Code => [...get(sums[index] as number), ...SHIFTED]
  return func(
    [
      [4, I32],
      [6, V128],
    ],
    [...get(length), ...set(left)],
    repeat(
      left,
      16,
      sums.flatMap((sum) => [...HALVES, ...set(sum)]),
      [...get(input), ...set(from), ...get(weights), ...set(weight), ...get(taps), ...set(tap)],
      repeat(
        tap,
        1,
        [...get(from), ...LOAD_16, ...set(row), ...get(weight), ...LOAD_SPLAT, ...set(scale)],
        sums.flatMap((sum, index) => addUp(sum, [...get(row), ...(widened[index] as Code)], get(scale))),
        advance(from, get(length)),
        advance(weight, constant(4)),
      ),
      [...get(output), ...shifted(0), ...shifted(1), ...NARROW_TO_PAIRS],
      [...shifted(2), ...shifted(3), ...NARROW_TO_PAIRS, ...NARROW_TO_BYTES, ...STORE_16],
      advance(input, constant(16)),
      advance(output, constant(16)),
    ),
  )
}

const MAGIC = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]

function makeModule(): Uint8Array<ArrayBuffer> {
  const takes = (count: number): Code => [0x60, count, ...Array.from({ length: count }, () => I32), 0]
  return Uint8Array.from([
    ...MAGIC,
    ...section(1, takes(4), takes(5)),
    ...section(3, [0], [1]),
    ...section(5, [0, 1]),
    ...section(7, [...name('memory'), 2, 0], [...name('squeezeRow'), 0, 0], [...name('addRows'), 0, 1]),
    ...section(10, squeezeRowCode(), addRowsCode()),
  ])
}

/** Of a thread of its own: two that are used at a time would share their memory. */
export function openLoops(): Loops {
  return new WebAssembly.Instance(new WebAssembly.Module(makeModule())).exports
}
