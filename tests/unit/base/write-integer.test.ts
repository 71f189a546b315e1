import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { writeInteger } from '../../../src/base/write-integer.ts'

const bytes = Buffer.alloc(32)
const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

function textOf(value: number): string {
  return bytes.toString('latin1', 3, writeInteger(view, 3, value))
}

test('every int32 has its decimal text', () => {
  fc.assert(
    fc.property(fc.oneof(fc.integer(), fc.integer({ min: -1000, max: 1000 })), (value) => {
      expect(textOf(value)).toBe(String(value))
    }),
    { numRuns: 5000 },
  )
})

test.each([0, 9, 10, -1, 99, 100, 127, -128, 255, 999_999_999, 1_000_000_000, 2 ** 31 - 1, -(2 ** 31)])(
  '%i has its decimal text',
  (value) => {
    expect(textOf(value)).toBe(String(value))
  },
)
