import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { shortenFloat32 } from '../../../src/base/float-text.ts'
import { FLOAT32_ROOM, writeFloat32 } from '../../../src/base/write-float32.ts'

const START = 5

function fromBits(bits: number): number {
  return new Float32Array(Uint32Array.of(bits).buffer)[0] as number
}

function toBits(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0] as number
}

const bytes = Buffer.alloc(64)
const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

function textOf(value: number): string {
  return bytes.toString('latin1', START, writeFloat32(view, START, value))
}

/** What is wrong with the text of a finite number; undefined where nothing is. */
function faultOf(value: number): string | undefined {
  bytes.fill(0x7f)
  const text = textOf(value)
  const usual = JSON.stringify(shortenFloat32(value))
  if (!Object.is(Math.fround(JSON.parse(text)), value)) return `${text} is not ${value}`
  // zero's sign is worth a byte
  if (value !== 0 && text.length > usual.length) return `${text} is longer than ${usual}`
  if (bytes.subarray(0, START).some((byte) => byte !== 0x7f)) return `${text} starts too early`
  if (bytes.subarray(START + FLOAT32_ROOM).some((byte) => byte !== 0x7f)) return `${text} needs more room`
  return undefined
}

function faultsOf(bitPatterns: Iterable<number>): string[] {
  const faults: string[] = []
  for (const bits of bitPatterns) {
    const value = fromBits(bits)
    const fault = Number.isFinite(value) ? faultOf(value) : undefined
    if (fault !== undefined) faults.push(fault)
  }
  return faults.slice(0, 10)
}

describe('every finite float32 comes back from a text that is no longer than the usual one', () => {
  test('whatever its bits', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), (bits) => {
        expect(faultsOf([bits])).toEqual([])
      }),
      { numRuns: 20_000 },
    )
  })

  test('in vectors', () => {
    fc.assert(
      fc.property(fc.double({ min: -1, max: 1, noNaN: true }), (value) => {
        expect(faultsOf([toBits(value)])).toEqual([])
      }),
      { numRuns: 20_000 },
    )
  })

  test('through all their range', () => {
    const stride = function* () {
      for (let bits = 0; bits < 2 ** 32; bits += 8191) yield bits
    }
    expect(faultsOf(stride())).toEqual([])
  })

  // There the neighbours' distance changes, or the number of digits.
  const edges = [
    ...Array.from({ length: 254 }, (_, index) => 2 ** (index - 126)),
    ...Array.from({ length: 84 }, (_, index) => 10 ** (index - 45)),
  ]
  test('around powers of two and of ten', () => {
    const around = function* () {
      for (const edge of edges) {
        for (let offset = -40; offset <= 40; offset++) {
          yield (toBits(edge) + offset) >>> 0
          yield (toBits(-edge) + offset) >>> 0
        }
      }
    }
    expect(faultsOf(around())).toEqual([])
  })

  test('with few digits', () => {
    const few = function* () {
      for (let digits = 1; digits < 1000; digits++) {
        for (let power = -12; power <= 12; power++) yield toBits(digits * 10 ** power)
      }
    }
    expect(faultsOf(few())).toEqual([])
  })
})

test.each([
  [0, '0'],
  [-0, '-0'],
  [1, '1'],
  [-1, '-1'],
  [0.5, '0.5'],
  [0.1, '0.1'],
  [-0.1, '-0.1'],
  [1 / 3, '0.33333334'],
  [0.0123, '0.0123'],
  [0.001, '0.001'],
  [0.00123, '0.00123'],
  [0.0001, '0.0001'],
  [0.0002, '2e-4'],
  [0.00012, '1.2e-4'],
  [-0.000012345678, '-1.2345678e-5'],
  [1e-14, '1e-14'],
  [12.5, '12.5'],
  [1234.5, '1234.5'],
  [-1200, '-1200'],
  [16_777_217, '16777216'],
  [999_999_999, '1000000000'],
  [1e20, '100000000000000000000'],
  [2 ** -149, '1.4013e-45'],
  [3.4028234663852886e38, '3.4028235e+38'],
  [NaN, 'null'],
  [Infinity, 'null'],
  [-Infinity, 'null'],
])('the float32 of %d is written %s', (value, text) => {
  expect(textOf(Math.fround(value))).toBe(text)
})
