import { setImmediate as nextTurn } from 'node:timers/promises'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeJson } from '../../../src/base/encode-json.ts'
import { plainJson } from '../../../src/base/plain-json.ts'

test('typed arrays become lists of numbers, those of a Float32Array with short texts', async () => {
  const body = {
    data: [{ embedding: Float32Array.of(0.1, -2), index: 0 }],
    int8: Int8Array.of(-128, 127),
    uint8: [Uint8Array.of(255)],
  }
  expect(await plainJson(body)).toEqual({
    data: [{ embedding: [0.1, -2], index: 0 }],
    int8: [-128, 127],
    uint8: [[255]],
  })
})

test.each([[null], [undefined], ['text'], [7], [true], [[]], [{ a: undefined, b: [null, { c: 'd' }] }]])(
  '%j stays what it is',
  async (value) => {
    expect(await plainJson(value)).toEqual(value)
  },
)

test('what is given is not changed', async () => {
  const given = { list: [Float32Array.of(0.1)] }
  await plainJson(given)
  expect(given).toEqual({ list: [Float32Array.of(0.1)] })
})

test('a key that is a prototype’s stays a key', async () => {
  const plain = await plainJson(JSON.parse('{"__proto__":[1]}'))
  expect(JSON.stringify(plain)).toBe('{"__proto__":[1]}')
})

test('a plain body is what reading its JSON gives', async () => {
  const vector = fc
    .array(fc.float({ noNaN: true, noDefaultInfinity: true }))
    .map((numbers) => Float32Array.from(numbers))
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ embedding: vector, index: fc.nat() })), async (data) => {
      const text = (await encodeJson({ data })).toString()
      expect(await plainJson({ data })).toEqual(JSON.parse(text))
    }),
  )
})

test('others get their turn before millions of numbers are there', async () => {
  const order: string[] = []
  const plain = plainJson(new Float32Array(100_000)).then(() => order.push('plain'))
  await nextTurn()
  order.push('other')
  await plain
  expect(order).toEqual(['other', 'plain'])
})
