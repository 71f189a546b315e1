import { expect, test } from 'vitest'
import { openFolder } from '../../../src/model/open-folder.ts'
import { openWeights } from '../../../src/model/weight-files.ts'
import { readPipeline } from '../../../src/model/modules-json.ts'
import { inferOutputs } from '../../../src/graph/ops.ts'
import { f32, i32, of } from '../graph/operator-cases.ts'
import { GraphBuilder } from '../../../src/graph/builder.ts'
import { expectRefusal } from './expect-refusal.ts'
import { copyFixture, makeFolder, patched } from './model-folder.ts'
import { ones, safetensors } from './safetensors-bytes.ts'

test.each(['..', '.', ''])('a weight index that names %j as a shard is refused', async (file) => {
  const folder = await makeFolder({ 'model.safetensors.index.json': { weight_map: { a: file } } })
  await expectRefusal(() => openWeights(folder), 'model_invalid', 'not in the folder')
})
test('a folder called model.safetensors is no weight file', async () => {
  const folder = await makeFolder({ 'model.safetensors/x': '' })
  await expectRefusal(() => openWeights(folder), 'model_invalid')
})
test('a tensor called like a property of every object is looked up as a tensor', async () => {
  const folder = await makeFolder({
    'model.safetensors.index.json': { weight_map: { toString: '1.safetensors' } },
    '1.safetensors': safetensors({ a: ones(1) }),
  })
  await expectRefusal(() => openWeights(folder), 'model_invalid', 'toString')
})
test('without modules.json, sentence_bert_config.json is not read', async () => {
  const folder = await copyFixture('bert-no-modules', {
    'sentence_bert_config.json': { max_seq_length: 9, do_lower_case: true },
  })
  expect((await openFolder(folder)).tokenizer).toMatchObject({ maxTokens: 72, lowerCase: false })
})
test('with modules.json, a classifier reads sentence_bert_config.json', async () => {
  const folder = await copyFixture('bert-cross-encoder-tanh', {
    'sentence_bert_config.json': { max_seq_length: 9, do_lower_case: true },
  })
  expect((await openFolder(folder)).tokenizer).toMatchObject({ maxTokens: 9, lowerCase: true })
})
test('modules run in the order of the file, whatever idx says', async () => {
  const folder = await copyFixture('bert-dense-chain', {
    'modules.json': [
      { idx: 0, path: '', type: 'sentence_transformers.models.Transformer' },
      { idx: 2, path: '1_Pooling', type: 'sentence_transformers.models.Pooling' },
      { idx: 1, path: '4_Normalize', type: 'sentence_transformers.models.Normalize' },
    ],
  })
  expect((await readPipeline(folder, 'm')).steps?.map(({ kind }) => kind)).toEqual(['pooling', 'normalize'])
})
test('a default prompt that does not exist is refused', async () => {
  const folder = await copyFixture('bert-cls', {
    'config_sentence_transformers.json': { prompts: { a: 'a' }, default_prompt_name: 'b' },
  })
  await expectRefusal(() => openFolder(folder), 'model_invalid', 'b')
})
test('a prompt that is null is an empty one', async () => {
  const folder = await copyFixture('bert-cls', {
    'config_sentence_transformers.json': { prompts: { a: null } },
  })
  expect((await openFolder(folder)).prompts).toEqual({ query: '', document: '', a: '' })
})
test('an activation outside torch does not hide the next place that names one', async () => {
  const config = await patched('bert-cross-encoder-tanh', 'config.json', {
    sentence_transformers: { activation_fn: 'torch.nn.modules.activation.ReLU' },
  })
  const folder = await copyFixture('bert-cross-encoder-tanh', {
    'config.json': config,
    'config_sentence_transformers.json': { model_type: 'CrossEncoder', activation_fn: 'my.Fn' },
  })
  expect((await openFolder(folder)).head).toMatchObject({ activation: 'relu' })
})
test('a Dense module that writes another feature is refused', async () => {
  const config = await patched('bert-dense-tanh', '2_Dense/config.json', { module_output_name: 'other' })
  const folder = await copyFixture('bert-dense-tanh', { '2_Dense/config.json': config })
  await expectRefusal(() => openFolder(folder), 'model_unsupported')
})
test('how activations would be rounded is not asked, for they are not', async () => {
  const INT8 = { num_bits: 8, type: 'int', symmetric: true, strategy: 'channel' }
  const config = await patched('bert-int8', 'config.json', {
    quantization_config: {
      quant_method: 'compressed-tensors',
      format: 'int-quantized',
      // as compressed-tensors writes where there is none
      transform_config: {},
      config_groups: {
        g: {
          weights: INT8,
          input_activations: { num_bits: 8, type: 'int', symmetric: true, strategy: 'token', dynamic: true },
        },
      },
    },
  })
  const folder = await copyFixture('bert-int8', { 'config.json': config })
  await expect(openFolder(folder)).resolves.toMatchObject({ modelType: 'bert' })
})
test('a quantization without groups is refused', async () => {
  const config = await patched('bert-int8', 'config.json', {
    quantization_config: { quant_method: 'compressed-tensors', format: 'pack-quantized' },
  })
  const folder = await copyFixture('bert-int8', { 'config.json': config })
  await expectRefusal(() => openFolder(folder), 'model_unsupported', 'without config_groups')
})
test.each([
  [[0, 12], '[0,12]'],
  [['12', '12'], '["12","12"]'],
  [[12], '[12]'],
  [[1.5, 12], '[1.5,12]'],
  ['12\u001b[31m', '"12\\u001b[31m"'],
])('a weight_block_size of %j is refused with its value', async (size, shown) => {
  const config = await patched('bert-int8', 'config.json', {
    quantization_config: { quant_method: 'fp8', weight_block_size: size },
  })
  const folder = await copyFixture('bert-int8', { 'config.json': config })
  const message = `weight_block_size of quantization_config is ${shown}; it must be`
  await expectRefusal(() => openFolder(folder), 'model_invalid', message)
})
test.each([
  ['a\u001b[31mb\u009b', '"a\\u001b[31mb\\u009b"'],
  ['x'.repeat(100_000), `"${'x'.repeat(100)}…"`],
])('a quant_method that is no word is quoted and cut: %.10j', async (method, shown) => {
  const config = await patched('bert-int8', 'config.json', { quantization_config: { quant_method: method } })
  const folder = await copyFixture('bert-int8', { 'config.json': config })
  await expectRefusal(() => openFolder(folder), 'model_unsupported', `quantization ${shown}; supported`)
})
const transposed = { transB: { int: 1 } }
const states = f32('B', 'S', 20)
test.each([
  ['MatMul', [f32(2, 3), of('f16', 3, 2)], {}],
  ['Gemm', [f32('T', 4), of('f16', 6, 4)], transposed],
  ['Gemm', [f32('T', 4), f32(6, 4), of('i8', 6)], transposed],
  ['LayerNormalization', [f32('T', 4), of('f16', 4), f32(4)], {}],
  ['LayerNormalization', [f32('T', 4), of('i8', 4), f32(4)], {}],
  [
    'MultiHeadAttention',
    [states, of('f16', 'B', 'S', 20), states, undefined, i32('B')],
    { num_heads: { int: 2 } },
  ],
  ['MultiHeadAttention', [states, states, states, undefined, i32('B')], { num_heads: { int: 3 } }],
  ['MultiHeadAttention', [states, states, states, undefined, i32('B')], {}],
  ['MultiHeadAttention', [states, states, states, undefined, i32('T')], { num_heads: { int: 2 } }],
  [
    'GroupQueryAttention',
    [f32('B', 'S', 48), undefined, undefined, undefined, undefined, i32('T'), i32()],
    { num_heads: { int: 2 }, kv_num_heads: { int: 2 } },
  ],
  [
    'GroupQueryAttention',
    [f32('B', 'S', 48), undefined, undefined, undefined, undefined, i32('B')],
    { num_heads: { int: 2 }, kv_num_heads: { int: 2 } },
  ],
  ['Concat', [f32(2, 4), f32(2, 4)], { axis: { int: -1 } }],
  ['Concat', [f32(2, 4), f32(2, 4)], { axis: { int: 5 } }],
  ['Gather', [f32(50, 4), i32('T')], { axis: { int: 2 } }],
  ['Softmax', [f32('B', 4)], { axis: { int: 7 } }],
  ['ReduceMax', [f32('B', 'S', 4), i32(1)], { keepdims: { int: 1 } }],
  ['ReduceMax', [f32('B'), of('i64', 1)], { keepdims: { int: 0 } }],
  ['ReduceMax', [f32('B', 'S', 4)], {}],
] as const)('%s with operands that do not fit is refused (%#)', async (op, operands, attributes) => {
  await expectRefusal(() => inferOutputs(op, operands, attributes), 'graph_invalid')
})
test('a constant with other than its shape’s number of values is refused', async () => {
  const b = new GraphBuilder()
  await expectRefusal(() => b.constant(Int32Array.of(1, 2, 3), [2]), 'graph_invalid')
})
