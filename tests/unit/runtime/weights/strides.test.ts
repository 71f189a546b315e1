import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { rowsOf } from '../../../../src/graph/matrix.ts'
import type { TensorDtype, TensorRef } from '../../../../src/model/spec.ts'
import { WeightMaker } from '../../../../src/runtime/weights/make-weight.ts'
import { gatherRows, spanLength } from '../../../../src/runtime/weights/strides.ts'

function tensor(shape: readonly number[], strides: readonly number[], dtype: TensorDtype = 'F32'): TensorRef {
  const bytes = { F32: 4, F16: 2, BF16: 2, I8: 1, F8_E4M3: 1 }[dtype]
  const byteLength = shape.reduce((product, size) => product * size, bytes)
  return { file: '', byteOffset: 0, byteLength, dtype, shape, strides }
}

test.each<readonly [shape: number[], strides: number[], places: number[]]>([
  [
    [3, 2],
    [1, 3],
    [0, 3, 1, 4, 2, 5],
  ],
  [
    [2, 2],
    [3, 1],
    [0, 1, 3, 4],
  ],
  [[3], [2], [0, 2, 4]],
  [
    [2, 1, 3],
    [1, 99, 2],
    [0, 2, 4, 1, 3, 5],
  ],
  [
    [2, 2, 2],
    [1, 4, 2],
    [0, 2, 4, 6, 1, 3, 5, 7],
  ],
])('%j by %j gives the numbers in rows', (shape, strides, places) => {
  const values = tensor(shape, strides)
  const span = Uint32Array.from({ length: spanLength(values) / 4 }, (_, i) => i)
  expect(span.length).toBe(Math.max(...places) + 1)
  // in one go, and from every number on
  for (const from of places.keys()) {
    const made = new Uint32Array(places.length)
    const count = places.length - from
    gatherRows(new Uint8Array(span.buffer), values, { from, count, to: made.buffer })
    expect([...made.subarray(0, count)]).toEqual(places.slice(from))
  }
})

test('numbers of two bytes and of one are moved as they are', () => {
  const two = new Uint16Array(3)
  const to = two.buffer
  const halves = new Uint8Array(Uint16Array.of(0xfc00, 1, 0x7e01, 3, 0x8000).buffer)
  gatherRows(halves, tensor([3], [2], 'F16'), { from: 0, count: 3, to })
  expect([...two]).toEqual([0xfc00, 0x7e01, 0x8000])
  const one = new Uint8Array(2)
  gatherRows(Uint8Array.of(7, 8, 9), tensor([2], [2], 'I8'), { from: 0, count: 2, to: one.buffer })
  expect([...one]).toEqual([7, 9])
})

test('a tensor without numbers takes no bytes', () => {
  expect(spanLength(tensor([0, 3], [5, 7]))).toBe(0)
})

test('rows of a transposed matrix are made from where they lie', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'strides-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'numbers')
  // column by column, behind a number of another tensor: row i is i, 10 + i
  writeFileSync(file, new Uint8Array(Float32Array.of(-1, 0, 1, 2, 3, 10, 11, 12, 13).buffer))
  const values = { ...tensor([4, 2], [1, 4]), file, byteOffset: 4 }
  const maker = new WeightMaker()
  const made: number[] = []
  const write = (bytes: Uint8Array) => made.push(...new Float32Array(bytes.slice().buffer))
  maker.make({ dtype: 'f32', parts: [rowsOf({ values, scale: undefined }, 1, 2)] }, write)
  maker.make({ dtype: 'f32', parts: [{ values, scale: undefined }] }, write)
  maker.close()
  expect(made).toEqual([1, 11, 2, 12, 0, 10, 1, 11, 2, 12, 3, 13])
})
