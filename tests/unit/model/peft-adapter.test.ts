import { basename } from 'node:path'
import { expect, test } from 'vitest'
import { readPeftAdapter } from '../../../src/model/peft-adapter.ts'
import { expectRefusal } from './expect-refusal.ts'
import { makeFolder } from './model-folder.ts'
import { ones, safetensors } from './safetensors-bytes.ts'

const LORA = { peft_type: 'LORA', r: 2, lora_alpha: 3, target_modules: ['fc1', 'words'] }
const PREFIX = 'base_model.model.'
const LAYER = {
  [`${PREFIX}layers.0.mlp.fc1.lora_A.weight`]: ones(2, 4),
  [`${PREFIX}layers.0.mlp.fc1.lora_B.weight`]: ones(6, 2),
}
const TABLE = {
  [`${PREFIX}embeddings.words.lora_embedding_A`]: ones(2, 50),
  [`${PREFIX}embeddings.words.lora_embedding_B`]: ones(4, 2),
}

async function adapter(config: object = {}, tensors: Parameters<typeof safetensors>[0] = LAYER) {
  const folder = await makeFolder({
    'adapter_config.json': { ...LORA, ...config },
    'adapter_model.safetensors': safetensors(tensors),
  })
  return { folder, read: () => readPeftAdapter(folder) }
}

test('parts are told by the layer’s own name, with factor and rank; those of tables stand turned', async () => {
  const { read } = await adapter({}, { ...LAYER, ...TABLE })
  expect(await read()).toMatchObject({
    'layers.0.mlp.fc1': {
      of: 'layer',
      rank: 2,
      scale: 3 / 2,
      down: { shape: [2, 4] },
      up: { shape: [6, 2] },
    },
    'embeddings.words': {
      of: 'table',
      rank: 2,
      scale: 3 / 2,
      down: { shape: [2, 50] },
      up: { shape: [4, 2] },
    },
  })
})

test('names may stand without PEFT’s prefix', async () => {
  const bare = Object.fromEntries(Object.entries(LAYER).map(([name, x]) => [name.slice(PREFIX.length), x]))
  expect(Object.keys(await (await adapter({}, bare)).read())).toEqual(['layers.0.mlp.fc1'])
})

test.each([
  ['nothing', {}, 3 / 2],
  ['use_rslora', { use_rslora: true }, 3 / Math.sqrt(2)],
  ['alpha_pattern by the end of the name', { alpha_pattern: { 'mlp.fc1': 5 } }, 5 / 2],
  ['alpha_pattern by the whole name', { alpha_pattern: { '^layers.0.mlp.fc1': 5 } }, 5 / 2],
  ['alpha_pattern of part of a name', { alpha_pattern: { c1: 5, '^fc1': 5, mlp: 5 } }, 3 / 2],
  ['the first of two patterns', { alpha_pattern: { 'layers.0.mlp.fc1': 1, fc1: 5 } }, 1 / 2],
  ['rank_pattern', { r: 7, rank_pattern: { fc1: 2 } }, 3 / 2],
  ['no alpha', { lora_alpha: undefined }, 8 / 2],
])('the factor is alpha by the rank, with %s', async (_, config, scale) => {
  const parts = await (await adapter(config)).read()
  expect(parts['layers.0.mlp.fc1']?.scale).toBeCloseTo(scale, 12)
})

test.each([
  { fan_in_fan_out: true },
  { lora_dropout: 0.5, inference_mode: false, task_type: 'FEATURE_EXTRACTION', peft_version: '0.21.2' },
  { bias: 'none', init_lora_weights: true, modules_to_save: null, layer_replication: [], use_dora: false },
  { init_lora_weights: 'gaussian' },
  { target_modules: '.*\\.fc1' },
])('%o changes nothing', async (config) => {
  expect((await (await adapter(config)).read())['layers.0.mlp.fc1']?.scale).toBe(3 / 2)
})

test.each([
  ['another method', { peft_type: 'IA3' }, ['peft_type is IA3', 'LORA']],
  ['DoRA', { use_dora: true }, ['use_dora is true']],
  ['biases', { bias: 'lora_only' }, ['bias is lora_only', 'supported are none']],
  ['biases of its own', { lora_bias: true }, ['lora_bias is true']],
  ['whole modules', { modules_to_save: ['pooler'] }, ['modules_to_save', 'pooler']],
  [
    'weights that start elsewhere',
    { init_lora_weights: 'pissa' },
    ['init_lora_weights is pissa', 'gaussian'],
  ],
  ['layers that are repeated', { layer_replication: [[0, 1]] }, ['layer_replication']],
  ['single tokens', { trainable_token_indices: [1] }, ['trainable_token_indices']],
  ['a setting to come', { use_newest: 'yes' }, ['use_newest is yes']],
  ['patterns that are no names', { rank_pattern: { '.*fc1': 2 } }, ['".*fc1"', 'pattern']],
])('an adapter with %s is refused by name', async (_, config, parts) => {
  const { read, folder } = await adapter(config)
  await expectRefusal(read, 'model_unsupported', `${basename(folder)}/adapter_config.json`, ...parts)
})

test.each([
  ['a rank that is not the settings’', { r: 4 }, LAYER, ['layers.0.mlp.fc1', '[2, 4]', '[6, 2]', 'rank 4']],
  ['one half', {}, { 'a.fc1.lora_A.weight': ones(2, 4) }, ['a.fc1', 'lora_A and lora_B']],
  [
    'halves of two kinds',
    {},
    { 'a.fc1.lora_A.weight': ones(2, 4), 'a.fc1.lora_embedding_B': ones(6, 2) },
    ['a.fc1', 'of one kind'],
  ],
  [
    'a layer that is not listed',
    { target_modules: ['c1'] },
    LAYER,
    ['layers.0.mlp.fc1', 'target_modules', 'c1'],
  ],
  ['no tensor', {}, {}, ['no tensors']],
  ['a broken setting', { r: '8' }, LAYER, ['adapter_config.json', 'r:']],
])('an adapter with %s is refused', async (_, config, tensors, parts) => {
  await expectRefusal((await adapter(config, tensors)).read, 'model_invalid', ...parts)
})

test('a tensor of anything else is refused by name', async () => {
  const { read } = await adapter({}, { ...LAYER, 'a.fc1.lora_magnitude_vector.weight': ones(6) })
  await expectRefusal(read, 'model_unsupported', 'a.fc1.lora_magnitude_vector.weight')
})

test.each(['adapter_config.json', 'adapter_model.safetensors'])('without %s it is refused', async (file) => {
  const files = { 'adapter_config.json': LORA, 'adapter_model.safetensors': safetensors(LAYER) }
  const folder = await makeFolder(Object.fromEntries(Object.entries(files).filter(([name]) => name !== file)))
  await expectRefusal(() => readPeftAdapter(folder), 'model_invalid', `${file} is missing`)
})
