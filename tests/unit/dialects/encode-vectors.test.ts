import { setImmediate as nextTurn } from 'node:timers/promises'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { VectorFormat } from '../../../src/dialects/encode-vectors.ts'
import { encodeVectors } from '../../../src/dialects/encode-vectors.ts'

function plain(dtype: VectorFormat['dtype']): VectorFormat {
  return { dtype, base64: false }
}

async function encodeOne(numbers: readonly number[], format: VectorFormat) {
  return (await encodeVectors(Float32Array.from(numbers), numbers.length, format))[0]
}

describe('float', () => {
  test('entries are views of the vectors', async () => {
    const vectors = Float32Array.of(1, 2, 3, 4, 5, 6)
    const encoded = await encodeVectors(vectors, 3, plain('float'))
    expect(encoded).toEqual([Float32Array.of(1, 2, 3), Float32Array.of(4, 5, 6)])
    expect(encoded.map((entry) => (entry as Float32Array).buffer)).toEqual([vectors.buffer, vectors.buffer])
  })

  test('no vectors are no entries', async () => {
    expect(await encodeVectors(new Float32Array(0), 3, plain('float'))).toEqual([])
  })
})

describe('int8', () => {
  test('the largest number of a vector, of either sign, is 127 steps', async () => {
    expect(await encodeOne([0.5, -0.25, 0.1, 0], plain('int8'))).toEqual(Int8Array.of(127, -63, 25, 0))
    expect(await encodeOne([0.25, -0.5], plain('int8'))).toEqual(Int8Array.of(64, -127))
  })

  test('a zero vector is zeros', async () => {
    expect(await encodeOne([0, -0], plain('int8'))).toEqual(Int8Array.of(0, 0))
  })

  test('each vector has a scale of its own', async () => {
    const encoded = await encodeVectors(Float32Array.of(1, 0.5, 100, 50), 2, plain('int8'))
    expect(encoded).toEqual([Int8Array.of(127, 64), Int8Array.of(127, 64)])
  })

  test('no number is more than half a step off', async () => {
    const numbers = fc.array(fc.float({ min: -4, max: 4, noNaN: true }), { minLength: 1, maxLength: 50 })
    await fc.assert(
      fc.asyncProperty(numbers, async (numbers) => {
        const largest = Math.max(...numbers.map(Math.abs))
        const encoded = (await encodeOne(numbers, plain('int8'))) as Int8Array
        for (const [index, value] of numbers.entries()) {
          const back = ((encoded[index] as number) * largest) / 127
          expect(Math.abs(back - value)).toBeLessThanOrEqual(largest / 254 + 1e-9)
        }
      }),
    )
  })
})

test('uint8 is int8 + 128', async () => {
  expect(await encodeOne([0.5, -0.5, -0.25, 0], plain('uint8'))).toEqual(Uint8Array.of(255, 1, 65, 128))
  expect(await encodeOne([0, 0], plain('uint8'))).toEqual(Uint8Array.of(128, 128))
})

describe('ubinary', () => {
  test('eight numbers are a byte, the first its most significant bit', async () => {
    expect(await encodeOne([1, -1, 0, 0, 0, 0, -1, 0.001], plain('ubinary'))).toEqual(
      Uint8Array.of(0b1000_0001),
    )
  })

  test('the last byte is filled with zeros', async () => {
    expect(await encodeOne([1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1], plain('ubinary'))).toEqual(
      Uint8Array.of(255, 0b1010_0000),
    )
  })

  test('a vector does not reach into the next', async () => {
    expect(await encodeVectors(Float32Array.of(0, 1, 1, 1), 2, plain('ubinary'))).toEqual([
      Uint8Array.of(0b0100_0000),
      Uint8Array.of(0b1100_0000),
    ])
  })
})

test('binary is ubinary - 128', async () => {
  expect(await encodeOne([1, -1, -1, -1, -1, -1, -1, 1, 0], plain('binary'))).toEqual(Int8Array.of(1, -128))
  expect(await encodeOne([1, 1, 1, 1, 1, 1, 1, 1], plain('binary'))).toEqual(Int8Array.of(127))
})

describe('base64', () => {
  test('of float is that of little-endian float32', async () => {
    expect(await encodeOne([1, -2], { dtype: 'float', base64: true })).toBe('AACAPwAAAMA=')
  })

  test.each(['int8', 'uint8', 'binary', 'ubinary'] as const)('of %s is that of its bytes', async (dtype) => {
    const numbers = [0.5, -0.25, 0.1, 0, -0.5, 1, 0, 0, 1, 1]
    const bytes = (await encodeOne(numbers, plain(dtype))) as Int8Array | Uint8Array
    expect(await encodeOne(numbers, { dtype, base64: true })).toBe(Buffer.from(bytes).toString('base64'))
  })

  test('of a vector inside the request is its own', async () => {
    const [, second] = await encodeVectors(Float32Array.of(3, 1, -2), 1, { dtype: 'float', base64: true })
    expect(second).toBe('AACAPw==')
  })
})

test('others get their turn before many vectors are encoded', async () => {
  const order: string[] = []
  const vectors = new Float32Array(200_000)
  const encoded = encodeVectors(vectors, 1000, plain('int8')).then(() => order.push('vectors'))
  await nextTurn()
  order.push('other')
  await encoded
  expect(order).toEqual(['other', 'vectors'])
})
