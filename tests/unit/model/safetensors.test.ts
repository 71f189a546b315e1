import { readFile, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readSafetensors } from '../../../src/model/safetensors.ts'
import { expectRefusal } from './expect-refusal.ts'
import { copyFixture, makeFolder } from './model-folder.ts'
import { floats, headerLength, ones, safetensors, withHeader } from './safetensors-bytes.ts'

async function write(bytes: Uint8Array): Promise<string> {
  const path = join(await makeFolder(), 'w.safetensors')
  await writeFile(path, bytes)
  return path
}

async function expectInvalid(bytes: Uint8Array, ...parts: readonly string[]): Promise<void> {
  const path = await write(bytes)
  await expectRefusal(() => readSafetensors(path), 'model_invalid', 'w.safetensors', ...parts)
}

/** A float32 vector of 2 at these offsets, as a header entry. */
function entry(begin: unknown, end: unknown, shape: unknown = [2], dtype: unknown = 'F32') {
  return { dtype, shape, data_offsets: [begin, end] }
}

test('every tensor is found with its dtype, its shape and the place of its bytes', async () => {
  const path = await write(
    safetensors({
      'layer.weight': { dtype: 'F32', shape: [2, 2], bytes: floats(1, 2, 3, 4) },
      scale: { dtype: 'F32', shape: [], bytes: floats(5) },
      half: { dtype: 'F16', shape: [3], bytes: new Uint8Array(6).fill(6) },
      brain: { dtype: 'BF16', shape: [1, 2], bytes: new Uint8Array(4).fill(7) },
      codes: { dtype: 'I8', shape: [5], bytes: new Uint8Array(5).fill(8) },
    }),
  )
  const { tensors, unusable } = await readSafetensors(path)
  expect(unusable).toEqual({})
  expect(Object.keys(tensors)).toEqual(['layer.weight', 'scale', 'half', 'brain', 'codes'])
  expect(tensors['layer.weight']).toMatchObject({ file: path, dtype: 'F32', shape: [2, 2], byteLength: 16 })
  expect(tensors['half']).toMatchObject({ dtype: 'F16', shape: [3], byteLength: 6 })
  expect(tensors['brain']).toMatchObject({ dtype: 'BF16', shape: [1, 2], byteLength: 4 })
  const file = await readFile(path)
  const bytesOf = (name: string) => {
    const { byteOffset = NaN, byteLength = NaN } = tensors[name] ?? {}
    return new Uint8Array(file.subarray(byteOffset, byteOffset + byteLength))
  }
  expect(bytesOf('layer.weight')).toEqual(floats(1, 2, 3, 4))
  expect(bytesOf('scale')).toEqual(floats(5))
  expect(bytesOf('codes')).toEqual(new Uint8Array(5).fill(8))
})

test('a file of fewer than 8 bytes is refused with its size', async () => {
  await expectInvalid(new Uint8Array(7), 'has 7 bytes')
  await expectInvalid(new Uint8Array(0), 'has 0 bytes')
})

test('a header longer than the file is refused with both lengths', async () => {
  await expectInvalid(Buffer.concat([headerLength(31), new Uint8Array(30)]), 'claims 31 bytes', 'has 38')
})

test('a header length beyond the whole numbers of JavaScript is refused', async () => {
  await expectInvalid(Buffer.concat([headerLength(2n ** 64n - 1n), new Uint8Array(30)]), 'has 38')
})

test('a header above the limit of the format is refused unread', async () => {
  const path = await write(headerLength(100_000_001))
  await truncate(path, 100_000_100)
  await expectRefusal(
    () => readSafetensors(path),
    'model_invalid',
    'w.safetensors',
    '100000001 bytes',
    'at most 100000000',
  )
})

test.each([
  ['text that is no JSON', '{"a": '],
  ['nothing', ''],
  ['an array', '[]'],
  ['null', 'null'],
  ['a number', '17'],
])('a header that is %s is refused', async (_, header) => {
  await expectInvalid(withHeader(header), 'header is not JSON')
})

test('a truncated file is refused at the first tensor that is past its end', async () => {
  const folder = await copyFixture('bert-cls')
  const path = join(folder, 'model.safetensors')
  const { byteLength: size } = await readFile(path)
  await truncate(path, size - 1)
  await expectRefusal(
    () => readSafetensors(path),
    'model_invalid',
    'model.safetensors: tensor ',
    `ends at byte ${size}; the file has ${size - 1}`,
    'truncated',
  )
})

test('a tensor of an unusable dtype past the end of the file is refused too', async () => {
  await expectInvalid(withHeader({ ids: entry(0, 16, [2], 'I64') }, [new Uint8Array(15)]), 'tensor ids ends')
})

test.each([
  ['partly', [0, 8], [4, 12], 4],
  ['wholly', [0, 8], [0, 8], 0],
])('tensors that overlap %s are refused by both names', async (_, [a, b], [c, d], at) => {
  const header = { first: entry(a, b), second: entry(c, d) }
  await expectInvalid(withHeader(header, [new Uint8Array(12)]), 'first', 'second', `overlap at byte ${at}`)
})

test('tensors that overlap are found whatever their order in the header, usable or not', async () => {
  const header = { late: entry(8, 16), other: entry(16, 24), early: entry(0, 9, [9], 'U8') }
  await expectInvalid(withHeader(header, [new Uint8Array(24)]), 'early', 'late', 'overlap at byte 8')
})

test.each([
  ['too many bytes', entry(0, 12), '[2] F32 takes 8 bytes; its range has 12'],
  ['too few bytes', entry(0, 8, [2, 3]), '[2, 3] F32 takes 24 bytes; its range has 8'],
  ['the bytes of another dtype', entry(0, 8, [2], 'F16'), '[2] F16 takes 4 bytes; its range has 8'],
  ['a scalar of two numbers', entry(0, 8, []), '[] F32 takes 4 bytes; its range has 8'],
])('a tensor of %s is refused with its shape and dtype', async (_, tensor, message) => {
  await expectInvalid(withHeader({ w: tensor }, [new Uint8Array(12)]), `tensor w ${message}`)
})

test('a tensor that ends before it begins is refused', async () => {
  await expectInvalid(
    withHeader({ w: entry(8, 0) }, [new Uint8Array(8)]),
    'tensor w begins at 8 and ends at 0',
  )
})

test.each([
  ['null', null],
  ['a text', 'F32'],
  ['without dtype', { shape: [2], data_offsets: [0, 8] }],
  ['without shape', { dtype: 'F32', data_offsets: [0, 8] }],
  ['without offsets', { dtype: 'F32', shape: [2] }],
  ['with three offsets', { dtype: 'F32', shape: [2], data_offsets: [0, 8, 8] }],
  ['with a negative offset', entry(-8, 0)],
  ['with a fractional size', entry(0, 8, [1.5])],
  ['with a negative size', entry(0, 8, [-2])],
  ['with a text as size', entry(0, 8, ['2'])],
])('an entry that is %s is refused by its name', async (_, tensor) => {
  await expectInvalid(withHeader({ w: tensor }, [new Uint8Array(8)]), 'tensor w has no dtype, shape')
})

test('tensors of a dtype that we cannot use are listed apart, with their dtype and their place', async () => {
  const path = await write(
    safetensors({
      position_ids: { dtype: 'I64', shape: [2], bytes: new Uint8Array(16) },
      mask: { dtype: 'BOOL', shape: [4], bytes: new Uint8Array(4) },
      weight: ones(2),
    }),
  )
  const { tensors, unusable } = await readSafetensors(path)
  expect(unusable).toEqual({
    position_ids: { file: path, byteOffset: expect.any(Number), byteLength: 16, dtype: 'I64', shape: [2] },
    mask: { file: path, byteOffset: expect.any(Number), byteLength: 4, dtype: 'BOOL', shape: [4] },
  })
  const { position_ids: ids, mask } = unusable
  expect((mask?.byteOffset ?? NaN) - (ids?.byteOffset ?? NaN)).toBe(16)
  expect(Object.keys(tensors)).toEqual(['weight'])
})

test('empty tensors may stand anywhere, inside another or at the end', async () => {
  const header = {
    w: entry(0, 8),
    inside: entry(4, 4, [0, 7]),
    start: entry(0, 0, [0]),
    end: entry(8, 8, [3, 0]),
  }
  const { tensors } = await readSafetensors(await write(withHeader(header, [new Uint8Array(8)])))
  expect(Object.keys(tensors)).toEqual(['w', 'inside', 'start', 'end'])
  expect(tensors['inside']).toMatchObject({ byteLength: 0, shape: [0, 7] })
})

test('a file without tensors is valid', async () => {
  expect(await readSafetensors(await write(withHeader({})))).toEqual({ tensors: {}, unusable: {} })
})

test('tensors of a linked file carry its real path, and errors the name of the link', async () => {
  const blob = await write(safetensors({ w: ones(2) }))
  const folder = await makeFolder()
  const link = join(folder, 'model.safetensors')
  await symlink(blob, link)
  expect((await readSafetensors(link)).tensors['w']).toMatchObject({ file: blob })
  await truncate(blob, 4)
  await expectRefusal(() => readSafetensors(link), 'model_invalid', 'model.safetensors')
})
