import { expect, test } from 'vitest'
import { readPipeline } from '../../../src/model/modules-json.ts'
import { expectRefusal } from './expect-refusal.ts'
import type { Files } from './model-folder.ts'
import { makeFolder } from './model-folder.ts'
import type { RawTensor } from './safetensors-bytes.ts'
import { ones, safetensors } from './safetensors-bytes.ts'

const MODULES = [
  { idx: 0, path: '', type: 'sentence_transformers.models.Transformer' },
  { idx: 1, path: '2_Dense', type: 'sentence_transformers.models.Dense' },
]

/** A folder with one Dense module of 2 to 3 numbers. */
function denseFiles(
  config: object | undefined,
  tensors: Readonly<Record<string, RawTensor>> = { 'linear.weight': ones(3, 2), 'linear.bias': ones(3) },
) {
  return {
    'modules.json': MODULES,
    ...(config && { '2_Dense/config.json': config }),
    '2_Dense/model.safetensors': safetensors(tensors),
  }
}

function int8(...shape: readonly number[]): RawTensor {
  return { dtype: 'I8', shape, bytes: new Uint8Array(shape.reduce((product, dim) => product * dim, 1)) }
}

async function stepsOf(files: Files) {
  return (await readPipeline(await makeFolder(files), 'some-model')).steps
}

async function expectRefused(files: Files, code: 'model_invalid' | 'model_unsupported', ...parts: string[]) {
  const folder = await makeFolder(files)
  await expectRefusal(() => readPipeline(folder, 'some-model'), code, ...parts)
}

test('a Dense module without bias has none, even where its file holds one', async () => {
  expect(await stepsOf(denseFiles({ bias: false }))).toMatchObject([{ kind: 'dense', bias: undefined }])
})

test.each([
  [undefined, 'tanh'],
  ['torch.nn.modules.linear.Identity', 'identity'],
  ['torch.nn.modules.activation.Tanh', 'tanh'],
  ['torch.nn.modules.activation.Sigmoid', 'sigmoid'],
  ['torch.nn.modules.activation.ReLU', 'relu'],
  ['torch.nn.modules.activation.GELU', 'gelu'],
  ['torch.nn.modules.activation.SiLU', 'silu'],
  ['torch.nn.modules.activation.LeakyReLU', 'leaky_relu'],
  ['torch.nn.modules.activation.ELU', 'elu'],
  ['torch.nn.modules.activation.SELU', 'selu'],
  ['torch.nn.modules.activation.Mish', 'mish'],
  ['torch.nn.modules.activation.Softplus', 'softplus'],
  ['torch.nn.modules.activation.Softmax', 'softmax'],
  ['somebody.own.Function', 'tanh'],
])('a Dense module with activation_function %s uses %s', async (path, activation) => {
  const steps = await stepsOf(denseFiles({ activation_function: path }))
  expect(steps).toMatchObject([{ activation, weight: { shape: [3, 2] }, bias: { shape: [3] } }])
})

test.each([
  [
    'a torch activation that we lack',
    { activation_function: 'torch.nn.modules.activation.Hardshrink' },
    'Hardshrink',
  ],
  [
    'another feature to write than to read',
    { module_input_name: 'token_embeddings', module_output_name: 'sentence_embedding' },
    'from token_embeddings to sentence_embedding',
  ],
  ['a feature of its own', { module_input_name: 'image_embeddings' }, 'from image_embeddings'],
])('a Dense module with %s is refused', async (_, config, message) => {
  await expectRefused(denseFiles(config), 'model_unsupported', 'some-model/2_Dense', message)
})

test('a Dense module of token embeddings works on every token', async () => {
  const perToken = { module_input_name: 'token_embeddings' }
  expect(await stepsOf(denseFiles(perToken))).toMatchObject([{ perToken: true }])
  const both = { ...perToken, module_output_name: 'token_embeddings' }
  expect(await stepsOf(denseFiles(both))).toMatchObject([{ perToken: true }])
  const [ofVectors] = (await stepsOf(denseFiles({ module_input_name: 'sentence_embedding' }))) ?? []
  expect(ofVectors).not.toHaveProperty('perToken')
})

test('a residual is the input where the widths agree, else a matrix', async () => {
  const square = { 'linear.weight': ones(3, 3), 'linear.bias': ones(3) }
  expect(await stepsOf(denseFiles({ use_residual: true }, square))).toMatchObject([{ residual: 'input' }])
  const wider = { 'linear.weight': ones(3, 2), 'linear.bias': ones(3), 'residual.weight': ones(3, 2) }
  expect(await stepsOf(denseFiles({ use_residual: true }, wider))).toMatchObject([
    { residual: { shape: [3, 2] } },
  ])
  const [plain] = (await stepsOf(denseFiles({}, wider))) ?? []
  expect(plain).not.toHaveProperty('residual')
})

test.each([
  ['without config.json', undefined, { 'linear.weight': ones(3, 2) }, 'config.json is missing'],
  ['without matrix', {}, { 'linear.bias': ones(3) }, 'no matrix linear.weight'],
  ['with an int8 matrix', {}, { 'linear.weight': int8(3, 2) }, 'no matrix linear.weight'],
  ['with a vector as matrix', {}, { 'linear.weight': ones(6) }, 'no matrix linear.weight'],
  ['without its bias', {}, { 'linear.weight': ones(3, 2) }, 'linear.bias is missing; it must be [3]'],
  [
    'without the matrix of its residual',
    { use_residual: true, bias: false },
    { 'linear.weight': ones(3, 2) },
    'residual.weight is missing; it must be [3, 2]',
  ],
  [
    'with a bias of another size',
    { bias: true },
    { 'linear.weight': ones(3, 2), 'linear.bias': ones(2) },
    'linear.bias is F32 [2]; it must be [3]',
  ],
])('a Dense module %s is refused', async (_, config, tensors, message) => {
  const files = denseFiles(config, tensors)
  await expectRefused(files, 'model_invalid', 'some-model/2_Dense', message)
})

test('a Dense module without weights is refused by its folder', async () => {
  const files = { 'modules.json': MODULES, '2_Dense/config.json': {} }
  await expectRefused(files, 'model_invalid', '2_Dense', 'model.safetensors')
  const others = { ...files, '2_Dense/tf_model.h5': 'weights' }
  await expectRefused(others, 'model_unsupported', '2_Dense', 'tf_model.h5')
})
