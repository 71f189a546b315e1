/** What a folder says and what makes it invalid; its head, prompts and limits are in folder-settings.test.ts. */
import { mkdir, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { openFolder } from '../../../src/model/open-folder.ts'
import { expectRefusal } from './expect-refusal.ts'
import type { Files } from './model-folder.ts'
import { copyFixture, makeFolder, patched, readObject } from './model-folder.ts'
import type { RawTensor } from './safetensors-bytes.ts'
import { ones, safetensors } from './safetensors-bytes.ts'

const BUNDLED = resolve(import.meta.dirname, '../../../models/all-MiniLM-L6-v2-int8')

async function expectRefused(
  code: 'model_invalid' | 'model_unsupported',
  files: Files,
  ...parts: readonly string[]
): Promise<void> {
  const folder = await copyFixture('bert-mean-normalize', files)
  await expectRefusal(() => openFolder(folder), code, ...parts)
}

/** Tensors of one encoder layer: 12, of which 6 are int8 matrices with a scale each. */
function layerShapes(index: number): Record<string, string> {
  const path = `encoder.layer.${index}`
  const matrices = {
    [`${path}.attention.self.query`]: [384, 384],
    [`${path}.attention.self.key`]: [384, 384],
    [`${path}.attention.self.value`]: [384, 384],
    [`${path}.attention.output.dense`]: [384, 384],
    [`${path}.intermediate.dense`]: [1536, 384],
    [`${path}.output.dense`]: [384, 1536],
  }
  const norms = [`${path}.attention.output.LayerNorm`, `${path}.output.LayerNorm`]
  return Object.assign(
    {},
    ...Object.entries(matrices).map(([name, [rows, columns]]) => ({
      [`${name}.weight`]: `I8 ${rows},${columns}`,
      [`${name}.weight_scale`]: `F32 ${rows},1`,
      [`${name}.bias`]: `F32 ${rows}`,
    })),
    ...norms.map((name) => ({ [`${name}.weight`]: 'F32 384', [`${name}.bias`]: 'F32 384' })),
  ) as Record<string, string>
}

test('the bundled model is read in full', async () => {
  const { tensors, config, ...spec } = await openFolder(BUNDLED)
  expect(spec).toEqual({
    name: 'all-MiniLM-L6-v2-int8',
    modelType: 'bert',
    head: {
      kind: 'embedding',
      steps: [{ kind: 'pooling', modes: ['mean'], includePrompt: true }, { kind: 'normalize' }],
    },
    tokenizer: {
      file: join(BUNDLED, 'tokenizer.json'),
      passesTypes: true,
      vocabularySize: 30_522,
      maxTokens: 256,
      truncationSide: 'right',
      lowerCase: false,
    },
    prompts: { query: '', document: '' },
    defaultPromptName: undefined,
    truncateDimensions: undefined,
  })
  expect(config).toEqual(await readObject(join(BUNDLED, 'config.json')))
  const shapes = Object.entries(tensors).map(([name, { dtype, shape }]) => [name, `${dtype} ${shape.join()}`])
  expect(Object.fromEntries(shapes)).toEqual({
    'embeddings.word_embeddings.weight': 'I8 30522,384',
    'embeddings.word_embeddings.weight_scale': 'F32 30522,1',
    'embeddings.position_embeddings.weight': 'I8 512,384',
    'embeddings.position_embeddings.weight_scale': 'F32 512,1',
    'embeddings.token_type_embeddings.weight': 'F32 2,384',
    'embeddings.LayerNorm.weight': 'F32 384',
    'embeddings.LayerNorm.bias': 'F32 384',
    ...Object.assign({}, ...[0, 1, 2, 3, 4, 5].map(layerShapes)),
    'pooler.dense.weight': 'I8 384,384',
    'pooler.dense.weight_scale': 'F32 384,1',
    'pooler.dense.bias': 'F32 384',
  })
  const files = new Set(Object.values(tensors).map(({ file }) => file))
  expect([...files]).toEqual([await realpath(join(BUNDLED, 'model.safetensors'))])
})

test('a spec is plain data that crosses a thread as it is', async () => {
  for (const name of ['bert-dense-chain', 'bert-cross-encoder-3-labels']) {
    const spec = await openFolder(await copyFixture(name))
    expect(structuredClone(spec)).toEqual(spec)
  }
})

test('a relative path gives the same spec as the absolute one', async () => {
  const folder = await copyFixture('bert-cls')
  const spec = await openFolder(relative(process.cwd(), folder))
  expect(spec).toEqual(await openFolder(folder))
  expect(spec.tokenizer?.file).toBe(join(folder, 'tokenizer.json'))
})

test('a model is called by its folder, or as the caller says', async () => {
  const folder = await copyFixture('bert-cls')
  expect((await openFolder(`${folder}/`)).name).toBe('model')
  expect((await openFolder(folder, 'org/name')).name).toBe('org/name')
  await rm(join(folder, 'tokenizer.json'))
  await expectRefusal(() => openFolder(folder, 'org/name'), 'model_invalid', 'org/name: tokenizer.json')
})

test('config, weights and tokenizer are those of the Transformer module', async () => {
  const folder = await copyFixture('bert-max-seq-length')
  const whole = await openFolder(folder)
  const inner = join(folder, '0_Transformer')
  await mkdir(inner)
  const moved = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json']
  for (const file of [...moved, 'sentence_bert_config.json']) {
    await rename(join(folder, file), join(inner, file))
  }
  const modules = [{ path: '0_Transformer', type: 'sentence_transformers.models.Transformer' }]
  await writeFile(join(folder, 'modules.json'), JSON.stringify(modules))
  const spec = await openFolder(folder)
  expect(spec.tokenizer).toEqual({ ...whole.tokenizer, file: join(inner, 'tokenizer.json') })
  expect(spec.config).toEqual(whole.config)
  expect(Object.values(spec.tensors)[0]?.file).toBe(join(inner, 'model.safetensors'))
})

test('a path that is no folder is refused', async () => {
  const folder = await makeFolder({ 'model.safetensors': '' })
  for (const path of [join(folder, 'absent'), join(folder, 'model.safetensors')]) {
    await expectRefusal(() => openFolder(path), 'model_invalid', `${path} is not a folder`)
  }
})

test.each([
  ['missing', undefined, 'model: config.json is missing'],
  ['no JSON', '{"model_type": "bert"', 'model/config.json is not JSON'],
  ['an array', [], 'model/config.json: the file'],
  ['without model_type', { hidden_size: 32 }, 'model/config.json: model_type'],
  ['with a number as model_type', { model_type: 7 }, 'model/config.json: model_type'],
  ['with no labels', { model_type: 'bert', num_labels: 0 }, 'model/config.json: num_labels'],
])('a config.json that is %s is refused', async (_, content, message) => {
  await expectRefused('model_invalid', { 'config.json': content }, message)
})

test('a folder without tokenizer.json is refused', async () => {
  await expectRefused('model_invalid', { 'tokenizer.json': undefined }, 'model: tokenizer.json is missing')
})

test.each([
  ['tokenizer_config.json', { truncation_side: 'middle' }, 'truncation_side'],
  ['tokenizer_config.json', { model_max_length: '512' }, 'model_max_length'],
  ['sentence_bert_config.json', { max_seq_length: 12.5 }, 'max_seq_length'],
  ['config_sentence_transformers.json', { truncate_dim: 0 }, 'truncate_dim'],
  ['config_sentence_transformers.json', { prompts: { query: 1 } }, 'prompts.query'],
  ['modules.json', { idx: 0 }, 'the file'],
])('%s with %j is refused by the field', async (file, content, field) => {
  await expectRefused('model_invalid', { [file]: content }, `model/${file}`, field)
})

test('a file that cannot be read is refused by its name', async () => {
  const folder = await copyFixture('bert-cls', { 'config.json': undefined, 'config.json/inner': '' })
  await expectRefusal(() => openFolder(folder), 'model_invalid', 'model/config.json cannot be read')
})

test('a folder without weights is refused', async () => {
  const files = { 'model.safetensors': undefined }
  await expectRefused('model_invalid', files, 'model: there is neither model.safetensors')
})

test.each(['gptq', 'awq', 'bitsandbytes', 'mxfp4'])(
  '%s quantization is refused by its name',
  async (method) => {
    const config = await patched('bert-mean-normalize', 'config.json', {
      quantization_config: { quant_method: method, bits: 4 },
    })
    await expectRefused(
      'model_unsupported',
      { 'config.json': config },
      `model: quantization ${method};`,
      'int-quantized',
      'before it was quantized',
    )
  },
)

const INT8 = { num_bits: 8, type: 'int', symmetric: true, strategy: 'channel' }

test.each([
  ['packed', { format: 'pack-quantized', weights: INT8 }, 'format pack-quantized'],
  [
    'packed into 4 bits',
    { format: 'pack-quantized', weights: { ...INT8, num_bits: 4 } },
    'format pack-quantized',
  ],
  ['of integers that are said to float', { format: 'float-quantized', weights: INT8 }, 'type int,'],
  ['of 4 bits', { weights: { ...INT8, num_bits: 4 } }, 'of 4 bits'],
  ['of floats', { weights: { ...INT8, type: 'float' } }, 'type float'],
  ['asymmetric', { weights: { ...INT8, symmetric: false } }, 'asymmetric'],
  ['by token', { weights: { ...INT8, strategy: 'token' } }, 'by token'],
  [
    'in another order',
    { weights: { ...INT8, strategy: 'group', actorder: 'group' } },
    'with actorder "group"',
  ],
  ['without weights', { weights: null }, 'groups that name no weights'],
])('a compressed-tensors group that is %s is refused by that', async (_, group, message) => {
  const config = await patched('bert-int8', 'config.json', {
    quantization_config: {
      quant_method: 'compressed-tensors',
      format: 'int-quantized',
      config_groups: { group_0: { format: null, weights: INT8 }, group_1: group },
    },
  })
  const folder = await copyFixture('bert-int8', { 'config.json': config })
  await expectRefusal(() => openFolder(folder), 'model_unsupported', 'model: quantization', message)
})

test.each([
  ['of another fp8', { quant_method: 'fp8', fmt: 'e5m2' }, 'fp8 of fmt e5m2'],
  ['with scales of 8 bits', { quant_method: 'fp8', scale_fmt: 'ue8m0' }, 'fp8 of scale_fmt ue8m0'],
  [
    'with a bitmask',
    { quant_method: 'compressed-tensors', sparsity_config: { format: 'sparse-24-bitmask' } },
    'sparsity_config of format sparse-24-bitmask',
  ],
  [
    'with rotated activations',
    { quant_method: 'compressed-tensors', transform_config: { config_groups: { R4: {} } } },
    'with transform_config',
  ],
])('a quantization %s is refused by that', async (_, quantization, message) => {
  const config = await patched('bert-int8', 'config.json', { quantization_config: quantization })
  await expectRefused('model_unsupported', { 'config.json': config }, 'model: quantization', message)
})

test.each([
  ['an integer weight', 'encoder.layer.0.attention.self.query.weight', 'I32'],
  ['an integer bias', 'encoder.layer.0.attention.self.query.bias', 'I64'],
  ['a norm of doubles', 'embeddings.LayerNorm.gamma', 'F64'],
  ['a table of another fp8', 'embeddings.word_embeddings.weight', 'F8_E5M2'],
])('%s is refused with its dtype', async (_, name, dtype) => {
  const tensor: RawTensor = { dtype, shape: [1], bytes: new Uint8Array(8) }
  const weights = safetensors({ [name]: tensor })
  await expectRefused(
    'model_unsupported',
    { 'model.safetensors': weights },
    `model: tensor ${name} is ${dtype}`,
  )
})

test('an integer buffer is left out of the tensors', async () => {
  const ids: RawTensor = { dtype: 'I64', shape: [1, 4], bytes: new Uint8Array(32) }
  const weights = safetensors({ 'embeddings.position_ids': ids, 'a.weight': ones(2) })
  const folder = await copyFixture('bert-mean-normalize', { 'model.safetensors': weights })
  expect(Object.keys((await openFolder(folder)).tensors)).toEqual(['a.weight'])
})
