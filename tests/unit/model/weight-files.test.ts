import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { openWeights } from '../../../src/model/weight-files.ts'
import { expectRefusal } from './expect-refusal.ts'
import { copyFixture, makeFolder } from './model-folder.ts'
import { ones, safetensors } from './safetensors-bytes.ts'
import { checkpoint, floatTensor } from './torch-bytes.ts'

const INDEX = 'model.safetensors.index.json'

function index(weightMap: Readonly<Record<string, string>>) {
  return { metadata: { total_size: 8 }, weight_map: weightMap }
}

test('a single file gives its tensors', async () => {
  const folder = await makeFolder({ 'model.safetensors': safetensors({ a: ones(2), b: ones(3) }) })
  const { tensors } = await openWeights(folder)
  expect(Object.keys(tensors)).toEqual(['a', 'b'])
  expect(tensors['a']?.file).toBe(join(folder, 'model.safetensors'))
})

test('a single file comes before an index', async () => {
  const folder = await makeFolder({
    'model.safetensors': safetensors({ a: ones(2) }),
    [INDEX]: index({ b: 'shard.safetensors' }),
  })
  expect(Object.keys((await openWeights(folder)).tensors)).toEqual(['a'])
})

test('shards give the tensors of the index, each in its own file', async () => {
  const folder = await makeFolder({
    [INDEX]: index({ a: '1.safetensors', b: '2.safetensors', ids: '2.safetensors' }),
    '1.safetensors': safetensors({ a: ones(2) }),
    '2.safetensors': safetensors({
      b: ones(3),
      ids: { dtype: 'I64', shape: [1], bytes: new Uint8Array(8) },
    }),
  })
  const { tensors, unusable } = await openWeights(folder)
  expect(Object.keys(tensors)).toEqual(['a', 'b'])
  expect(tensors['a']).toMatchObject({ file: join(folder, '1.safetensors'), shape: [2] })
  expect(tensors['b']).toMatchObject({ file: join(folder, '2.safetensors'), shape: [3] })
  expect(unusable).toMatchObject({ ids: { file: join(folder, '2.safetensors'), dtype: 'I64' } })
})

test('a shard that is missing is refused by its name', async () => {
  const shard = 'model-00002-of-00003.safetensors'
  const folder = await copyFixture('bert-sharded', { [shard]: undefined })
  await expectRefusal(() => openWeights(folder), 'model_invalid', shard, 'missing')
})

test('a tensor that the index puts in a shard without it is refused by both names', async () => {
  const folder = await makeFolder({
    [INDEX]: index({ a: '1.safetensors', ghost: '1.safetensors' }),
    '1.safetensors': safetensors({ a: ones(2) }),
  })
  await expectRefusal(() => openWeights(folder), 'model_invalid', 'tensor ghost in 1.safetensors')
})

test('a broken shard is refused by its name', async () => {
  const folder = await makeFolder({ [INDEX]: index({ a: '1.safetensors' }), '1.safetensors': 'short' })
  await expectRefusal(() => openWeights(folder), 'model_invalid', '1.safetensors', 'has 5 bytes')
})

test.each(['../model.safetensors', 'sub/1.safetensors', '/etc/1.safetensors'])(
  'an index that names %s is refused: it is not a file of the folder',
  async (file) => {
    const folder = await makeFolder({
      [INDEX]: index({ a: file }),
      'sub/1.safetensors': safetensors({ a: ones(2) }),
    })
    await expectRefusal(() => openWeights(folder), 'model_invalid', 'index', file, 'not in the folder')
  },
)

test.each([
  ['is no JSON', '{', 'is not JSON'],
  ['has no weight_map', {}, 'weight_map'],
  ['maps a tensor to a number', { weight_map: { a: 1 } }, 'weight_map.a'],
])('an index that %s is refused', async (_, content, message) => {
  const folder = await makeFolder({ [INDEX]: content })
  await expectRefusal(() => openWeights(folder), 'model_invalid', INDEX, message)
})

test.each([
  'tf_model.h5',
  'flax_model.msgpack',
  'rust_model.ot',
  'model-q8.gguf',
  'model.onnx',
  'onnx/model.onnx',
])('a folder whose only weights are %s is refused by that name', async (file) => {
  const folder = await makeFolder({ [file]: 'weights' })
  await expectRefusal(
    () => openWeights(folder),
    'model_unsupported',
    basename(folder),
    `in ${file} only`,
    'model.safetensors is needed',
  )
})

test('the likeliest of several formats that are not read is named', async () => {
  const folder = await makeFolder({ 'onnx/model.onnx': 'x', 'training_args.bin': 'x', 'tf_model.h5': 'x' })
  await expectRefusal(() => openWeights(folder), 'model_unsupported', 'in tf_model.h5 only')
})

test.each(['model.safetensors', 'adapter_model.safetensors'])(
  'a folder with adapter_config.json is refused, whatever else it holds (%s)',
  async (file) => {
    const folder = await makeFolder({
      'adapter_config.json': { peft_type: 'LORA' },
      [file]: safetensors({ a: ones(1) }),
    })
    await expectRefusal(() => openWeights(folder), 'model_unsupported', 'adapter_config.json', 'merged')
  },
)

test.each([
  ['org/base', 'an adapter to "org/base"'],
  ['', 'an adapter to another model'],
  [null, 'an adapter to another model'],
])('an adapter to %o is refused by that name', async (base, shown) => {
  const folder = await makeFolder({ 'adapter_config.json': { base_model_name_or_path: base } })
  await expectRefusal(() => openWeights(folder), 'model_unsupported', shown)
})

test('a checkpoint of torch is read where there is no safetensors file', async () => {
  const folder = await makeFolder({ 'pytorch_model.bin': checkpoint({ a: floatTensor([2], [1, 2]) }) })
  const { tensors } = await openWeights(folder)
  expect(tensors['a']).toMatchObject({ file: join(folder, 'pytorch_model.bin'), dtype: 'F32', shape: [2] })
})

test('a safetensors index comes before a checkpoint of torch', async () => {
  const folder = await makeFolder({
    'pytorch_model.bin': checkpoint({ b: floatTensor([2], [1, 2]) }),
    [INDEX]: index({ a: '1.safetensors' }),
    '1.safetensors': safetensors({ a: ones(2) }),
  })
  expect(Object.keys((await openWeights(folder)).tensors)).toEqual(['a'])
})

test('shards of a checkpoint give the tensors of their index', async () => {
  const folder = await makeFolder({
    'pytorch_model.bin.index.json': index({ a: '1.bin', b: '2.bin' }),
    '1.bin': checkpoint({ a: floatTensor([1], [1]) }),
    '2.bin': checkpoint({ b: floatTensor([2], [2, 3]) }),
  })
  const { tensors } = await openWeights(folder)
  expect(tensors['a']?.file).toBe(join(folder, '1.bin'))
  expect(tensors['b']?.file).toBe(join(folder, '2.bin'))
})

test.each([
  ['model.safetensors.index.json', 'pytorch_model.bin'],
  ['pytorch_model.bin.index.json', 'model-1.safetensors'],
  ['pytorch_model.bin.index.json', '../pytorch_model.bin'],
])('%s names shards of its own format in its own folder only, not %s', async (file, shard) => {
  const folder = await makeFolder({ [file]: index({ a: shard }) })
  await expectRefusal(() => openWeights(folder), 'model_invalid', shard, 'not in the folder')
})

test('weights of another format beside model.safetensors are no hindrance', async () => {
  const folder = await makeFolder({
    'pytorch_model.bin': 'weights',
    'model.safetensors': safetensors({ a: ones(1) }),
  })
  expect(Object.keys((await openWeights(folder)).tensors)).toEqual(['a'])
})

test('a folder without weights is refused, naming both files that could hold them', async () => {
  const folder = await makeFolder({ 'config.json': {} })
  await expectRefusal(
    () => openWeights(folder),
    'model_invalid',
    basename(folder),
    'neither model.safetensors nor model.safetensors.index.json',
  )
})
