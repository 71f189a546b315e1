import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readNumbers } from '../../../src/model/read-numbers.ts'
import { makeFolder } from './model-folder.ts'

async function numbersOf(array: Int32Array | BigInt64Array, layout: object) {
  const file = join(await makeFolder(), 'numbers')
  await writeFile(file, new Uint8Array(array.buffer))
  const dtype = array instanceof Int32Array ? 'I32' : 'I64'
  const facts = { file, byteOffset: 0, byteLength: array.byteLength, dtype, shape: [array.length] }
  return [...(await readNumbers({ ...facts, ...layout }, 'the table'))]
}

test('a vector is read where it lies', async () => {
  expect(await numbersOf(Int32Array.of(3, -1, 2), {})).toEqual([3, -1, 2])
  expect(await numbersOf(Int32Array.of(3, -1, 2), { byteOffset: 4, byteLength: 8, shape: [2] })).toEqual([
    -1, 2,
  ])
})

test('of a vector with others between its numbers, these are left out', async () => {
  const layout = { byteOffset: 8, byteLength: 24, shape: [3], strides: [2] }
  expect(await numbersOf(BigInt64Array.of(0n, 1n, 2n, 3n, 4n, 5n), layout)).toEqual([1, 3, 5])
  expect(await numbersOf(BigInt64Array.of(7n), { byteLength: 0, shape: [0], strides: [2] })).toEqual([])
})
