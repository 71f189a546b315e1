import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { ErrorCode } from '../../../src/errors.ts'
import { openTorchCheckpoint } from '../../../src/model/torch-checkpoint.ts'
import { expectRefusal } from './expect-refusal.ts'
import { makeFolder } from './model-folder.ts'
import { floats } from './safetensors-bytes.ts'
import { archive, checkpoint, floatTensor, global, integer, pickle, text } from './torch-bytes.ts'
import { zip } from './zip-bytes.ts'

async function write(bytes: Uint8Array): Promise<string> {
  const path = join(await makeFolder(), 'w.bin')
  await writeFile(path, bytes)
  return path
}

async function openBytes(bytes: Uint8Array) {
  const path = await write(bytes)
  const file = await readFile(path)
  const { tensors, unusable } = await openTorchCheckpoint(path)
  const bytesOf = (name: string) => {
    const { byteOffset = NaN, byteLength = NaN } = tensors[name] ?? {}
    return new Uint8Array(file.subarray(byteOffset, byteOffset + byteLength))
  }
  return { path, tensors, unusable, bytesOf }
}

async function expectRefused(bytes: Uint8Array, code: ErrorCode, ...parts: readonly string[]): Promise<void> {
  const path = await write(bytes)
  await expectRefusal(() => openTorchCheckpoint(path), code, 'w.bin', ...parts)
}

const bytes = (count: number) => new Uint8Array(count)

test.each([{}, { wide: true }, { comment: 'PK\x05\x06 is no end of the directory' }])(
  'every tensor is found with its dtype, its shape and the place of its bytes (%j)',
  async (options) => {
    const { path, tensors, unusable, bytesOf } = await openBytes(
      checkpoint(
        {
          'layer.weight': floatTensor([2, 2], [1, 2, 3, 4], { isParameter: true }),
          scale: floatTensor([], [5]),
          half: floatTensor([3], [], { type: 'HalfStorage', bytes: bytes(6).fill(6), elements: 3 }),
          brain: floatTensor([1, 2], [], { type: 'BFloat16Storage', bytes: bytes(4).fill(7), elements: 2 }),
          codes: floatTensor([5], [], { type: 'CharStorage', bytes: bytes(5).fill(8), elements: 5 }),
        },
        options,
      ),
    )
    expect(unusable).toEqual({})
    expect(Object.keys(tensors)).toEqual(['layer.weight', 'scale', 'half', 'brain', 'codes'])
    expect(tensors['layer.weight']).toMatchObject({ file: path, dtype: 'F32', shape: [2, 2], byteLength: 16 })
    expect(tensors['scale']).toMatchObject({ dtype: 'F32', shape: [] })
    expect(tensors['half']).toMatchObject({ dtype: 'F16', shape: [3], byteLength: 6 })
    expect(tensors['brain']).toMatchObject({ dtype: 'BF16', shape: [1, 2] })
    expect(tensors['codes']).toMatchObject({ dtype: 'I8', shape: [5] })
    expect(bytesOf('layer.weight')).toEqual(floats(1, 2, 3, 4))
    expect(bytesOf('scale')).toEqual(floats(5))
    expect(bytesOf('brain')).toEqual(bytes(4).fill(7))
    expect(bytesOf('codes')).toEqual(bytes(5).fill(8))
  },
)

test('tensors that share a storage are found at their offsets', async () => {
  const shared = { storage: 's', bytes: floats(1, 2, 3, 4, 5, 6), elements: 6 }
  const { bytesOf } = await openBytes(
    checkpoint({
      a: floatTensor([2], [], { ...shared }),
      b: floatTensor([2, 2], [], { ...shared, offset: 2 }),
      whole: floatTensor([6], [], { ...shared }),
    }),
  )
  expect(bytesOf('a')).toEqual(floats(1, 2))
  expect(bytesOf('b')).toEqual(floats(3, 4, 5, 6))
  expect(bytesOf('whole')).toEqual(floats(1, 2, 3, 4, 5, 6))
})

test('tensors of a dtype that we cannot use are listed apart, with their dtype and their place', async () => {
  const { path, tensors, unusable } = await openBytes(
    checkpoint({
      ids: floatTensor([2], [], { type: 'LongStorage', bytes: bytes(16), elements: 2 }),
      double: floatTensor([1], [], { type: 'DoubleStorage', bytes: bytes(8), elements: 1 }),
      mask: floatTensor([1], [], { type: 'BoolStorage', bytes: bytes(1), elements: 1 }),
    }),
  )
  expect(tensors).toEqual({})
  const byteOffset = expect.any(Number)
  expect(unusable).toEqual({
    ids: { file: path, byteOffset, byteLength: 16, dtype: 'I64', shape: [2] },
    double: { file: path, byteOffset, byteLength: 8, dtype: 'F64', shape: [1] },
    mask: { file: path, byteOffset, byteLength: 1, dtype: 'BOOL', shape: [1] },
  })
})

test('a tensor called like a property of every object is a tensor like any other', async () => {
  const { tensors } = await openBytes(checkpoint({ ['__proto__']: floatTensor([1], [1]) }))
  expect(Object.keys(tensors)).toEqual(['__proto__'])
})

test('strides of dimensions of size 1, and of a tensor without elements, say nothing', async () => {
  const { tensors } = await openBytes(
    checkpoint({
      row: floatTensor([1, 2], [1, 2], { strides: [99, 1] }),
      column: floatTensor([2, 1], [1, 2], { strides: [1, 7] }),
      empty: floatTensor([0, 3], [], { strides: [5, 7] }),
    }),
  )
  expect(Object.keys(tensors)).toEqual(['row', 'column', 'empty'])
})

test.each([
  ['transposed', [3, 2], [1, 3]],
  ['with gaps', [2, 2], [3, 1]],
  ['as every second number', [3], [2]],
])('a tensor that is stored %s is given with its strides', async (_, shape, strides) => {
  const tensor = floatTensor(shape, [1, 2, 3, 4, 5, 6], { strides })
  const { t } = (await openBytes(checkpoint({ t: tensor }))).tensors
  const count = shape.reduce((product, size) => product * size, 1)
  expect(t).toMatchObject({ shape, strides, byteLength: 4 * count })
})

test.each([
  ['expanded', [2, 2], [0, 1]],
  ['as windows of a row', [3, 4], [1, 1]],
  ['by a step into other rows', [2, 3], [2, 1]],
])('a tensor that is stored %s is refused with its strides', async (_, shape, strides) => {
  const tensor = floatTensor(shape, [...Array(12).keys()], { strides })
  await expectRefused(checkpoint({ t: tensor }), 'model_unsupported', 'tensor t', `[${strides.join(', ')}]`)
})

test('beside tensors, what else a dictionary holds is let be', async () => {
  const tensor = { archive: checkpoint({ a: floatTensor([1], [1]) }) }
  expect((await openBytes(tensor.archive)).tensors).toHaveProperty('a')
  const state = pickle(['}(', text('epoch'), integer(3), text('lr'), `G${'\x00'.repeat(8)}`, 'u'])
  await expectRefused(archive(state), 'model_unsupported', 'no tensor but epoch, lr')
})

test.each([
  ['posix.system', global('posix', 'system')],
  ['builtins.eval', global('builtins', 'eval')],
  ['__builtin__.getattr', global('__builtin__', 'getattr')],
  ['torch.load', global('torch', 'load')],
  ['torch._utils._rebuild_tensor_v3', global('torch._utils', '_rebuild_tensor_v3')],
  ['torch.nn.modules.linear.Linear', global('torch.nn.modules.linear', 'Linear')],
  ['numpy.core.multiarray._reconstruct', global('numpy.core.multiarray', '_reconstruct')],
  ['collections.OrderedDict.fromkeys', global('collections', 'OrderedDict.fromkeys')],
  ['os.system', `${text('os')}${text('system')}\x93`],
])('a pickle that asks for %s is refused by that name', async (name, code) => {
  const call = pickle([code, `(${text('touch /tmp/x')}tR`])
  await expectRefused(archive(call), 'model_unsupported', `asks for ${name}, which is not run`)
})

const STORAGE = `(${text('storage')}${global('torch', 'FloatStorage')}${text('0')}${text('cpu')}K\x01t`
const REBUILD = global('torch._utils', '_rebuild_tensor_v2')

test.each([
  ['an empty one', '', 'takes a value'],
  ['one without end', `X\xff\x00\x00\x00a`, 'ends in the middle'],
  ['a line without end', 'cos', 'ends in the middle'],
  ['a mark that is not there', 't', 'mark that is not there'],
  ['a value that is not there', 'N\x87', 'takes a value'],
  ['a memory that is not there', 'h\x09', 'recalls 9'],
  ['items of a list', ']NNs', 'no dictionary'],
  ['a key without value', '}(Nu', 'a key has no value'],
  ['appending to a number', 'K\x01Na', 'no list'],
  ['a call of a number', 'K\x01)R', 'no function'],
  ['a call without tuple', `${global('collections', 'OrderedDict')}NR`, 'no function'],
  ['state of a list', ']Nb', 'no dictionary'],
  ['a name that is no text', 'NN\x93', 'no name'],
  ['a number of many bytes', `\x8a\x09${'\xff'.repeat(8)}\x01`, 'too large'],
  ['an argument of OrderedDict', `${global('collections', 'OrderedDict')}(NtR`, 'OrderedDict'],
  ['a parameter of nothing', `${global('torch._utils', '_rebuild_parameter')}(NtR`, '_rebuild_parameter'],
  ['a size of nothing', `${global('torch', 'Size')})R`, 'torch.Size'],
  ['a call of a storage class', `${global('torch', 'FloatStorage')})R`, 'torch.FloatStorage'],
  ['a tensor of nothing', `${REBUILD}(NNNNtR`, '_rebuild_tensor_v2'],
  ['a negative offset', `${REBUILD}(${STORAGE}Q${integer(-1)}(K\x01t(K\x01ttR`, '_rebuild_tensor_v2'],
  ['a negative size', `${REBUILD}(${STORAGE}QK\x00(${integer(-1)}t(K\x01ttR`, '_rebuild_tensor_v2'],
  ['strides of another length', `${REBUILD}(${STORAGE}QK\x00(K\x01t)tR`, '_rebuild_tensor_v2'],
  ['a storage of no class', `(${text('storage')}N${text('0')}${text('cpu')}K\x01tQ`, 'storage'],
  ['a module in place of a storage', `(${text('module')}tQ`, 'storage'],
])('a pickle of %s is refused', async (_, code, message) => {
  await expectRefused(archive(pickle([code])), 'model_invalid', message)
})

test('a pickle too long to be one is refused before it is read', async () => {
  const long = archive(Buffer.alloc(20_000_001, 'N'))
  await expectRefused(long, 'model_invalid', 'a pickle of 20000001 bytes', 'at most 20000000')
})

test('a shape of more axes than a tensor has is refused: tensors may share it', async () => {
  const shape = `(${'K\x01'.repeat(65)}t`
  const code = `${REBUILD}(${STORAGE}QK\x00${shape}${shape}tR`
  await expectRefused(archive(pickle([code])), 'model_invalid', '_rebuild_tensor_v2')
})

test('an opcode that plain data does not need is refused by its number', async () => {
  await expectRefused(archive(pickle(['i'])), 'model_unsupported', 'opcode 0x69 at byte 2')
})

test.each([
  ['a list', ']', 'holds no dictionary'],
  ['nothing', 'N', 'holds no dictionary'],
  ['a dictionary of dictionaries', `}${text('state_dict')}}s`, 'no tensor but state_dict'],
])('a checkpoint of %s is refused', async (_, code, message) => {
  await expectRefused(archive(pickle([code])), 'model_unsupported', message)
})

test('keys that are no names are not spelled out: tuples may stand for more than memory holds', async () => {
  const doubled = Array.from({ length: 60 }, () => 'h\x00h\x00\x86q\x000').join('')
  const tuples = pickle([`})q\x000${doubled}h\x00Ns`])
  await expectRefused(archive(tuples), 'model_unsupported', 'no tensor but object')
})

test('a storage that the archive lacks is refused by its key', async () => {
  const tensor = floatTensor([1], [1], { storage: '../7' })
  const { storage, ...rest } = tensor
  const whole = checkpoint({ a: { ...rest, storage } })
  const renamed = Buffer.from(
    Buffer.from(whole).toString('latin1').replaceAll('archive/data/../7', 'archive/data/../8'),
    'latin1',
  )
  await expectRefused(renamed, 'model_invalid', 'lacks storage ../7 of tensor a')
})

test.each([
  ['elements that its storage lacks', { elements: 3 }, 'storage 0 has 8 bytes'],
  ['a place past its storage', { offset: 1 }, 'ends at element 3 of a storage of 2'],
  ['a shape past its storage', { shape: [2, 2], strides: [2, 1] }, 'ends at element 4 of a storage of 2'],
  ['a step past its storage', { shape: [2], strides: [2] }, 'ends at element 3 of a storage of 2'],
  [
    'an absurd step',
    { shape: [2], strides: [2 ** 52] },
    'ends at element 4503599627370497 of a storage of 2',
  ],
  ['an absurd shape', { shape: [2 ** 50, 2 ** 50], strides: [2 ** 50, 1] }, 'more than can be counted'],
  ['a shape of no number', { shape: [...Array(30).fill(2 ** 50), 0], strides: Array(31).fill(1) }, 'of NaN'],
])('a tensor with %s is refused', async (_, changes, message) => {
  await expectRefused(checkpoint({ a: floatTensor([2], [1, 2], changes) }), 'model_invalid', message)
})

const entry = (name: string, content = '') => ({ name, bytes: Buffer.from(content) })
const A = { a: floatTensor([1], [1]) }

test('bytes in little-endian order are read, others are refused', async () => {
  const little = checkpoint(A, { entries: [entry('archive/byteorder', 'little')] })
  expect((await openBytes(little)).tensors).toHaveProperty('a')
  const big = checkpoint(A, { entries: [entry('archive/byteorder', 'big')] })
  await expectRefused(big, 'model_unsupported', 'big-endian')
})

test.each([
  [
    'torch before version 1.6',
    '\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.',
    'before version 1.6',
  ],
  ['torch before version 0.1.10', `${'\x00'.repeat(257)}ustar${'\x00'.repeat(250)}`, 'tar format'],
  ['Git LFS', 'version https://git-lfs.github.com/spec/v1\noid sha256:00', 'Git LFS pointer'],
])('a file of %s is refused as what it is', async (_, content, message) => {
  await expectRefused(Buffer.from(content, 'latin1'), 'model_unsupported', message)
})

test.each(['', 'PK', 'weights', '<html>'])('a file of %j is no checkpoint', async (content) => {
  await expectRefused(Buffer.from(content), 'model_invalid', 'no zip archive')
})

test.each([
  ['no pickle', [entry('archive/version', '3')], 'holds 0 entries'],
  ['two pickles', [entry('a/data.pkl'), entry('b/data.pkl')], 'holds 2 entries'],
  ['a pickle in no folder', [entry('data.pkl')], 'holds 0 entries'],
])('an archive with %s is refused', async (_, entries, message) => {
  await expectRefused(zip(entries), 'model_invalid', message)
})
