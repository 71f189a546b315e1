import { expect, test } from 'vitest'
import { readPipeline } from '../../../src/model/modules-json.ts'
import { openFolder } from '../../../src/model/open-folder.ts'
import { expectRefusal } from './expect-refusal.ts'
import type { Files } from './model-folder.ts'
import { copyFixture, makeFolder } from './model-folder.ts'
import { safetensors } from './safetensors-bytes.ts'

const MLM = { path: '', type: 'sentence_transformers.sparse_encoder.models.MLMTransformer' }
const SPLADE = { path: '1_Splade', type: 'sentence_transformers.sparse_encoder.models.SpladePooling' }
const ROUTER = { path: '', type: 'sentence_transformers.models.Router' }
const FIXED = 'sentence_transformers.sparse_encoder.models.SparseStaticEmbedding'

function halves(...values: readonly number[]) {
  return { dtype: 'F16', shape: [values.length], bytes: new Uint8Array(Float16Array.from(values).buffer) }
}

async function sparseOf(files: Files) {
  return (await readPipeline(await makeFolder(files), 'some-model')).sparse
}

async function expectRefused(files: Files, code: 'model_invalid' | 'model_unsupported', ...parts: string[]) {
  const folder = await makeFolder(files)
  await expectRefusal(() => readPipeline(folder, 'some-model'), code, 'some-model', ...parts)
}

test.each([
  [{}, { pooling: 'max', logarithms: 1 }],
  [
    { pooling_strategy: 'sum', activation_function: 'relu' },
    { pooling: 'sum', logarithms: 1 },
  ],
  [{ activation_function: 'log1p_relu' }, { pooling: 'max', logarithms: 2 }],
])('SpladePooling with %j', async (config, head) => {
  const files = { 'modules.json': [MLM, SPLADE], '1_Splade/config.json': config }
  expect(await sparseOf(files)).toEqual({ kind: 'sparse', ...head })
})

const routed = (structure: object, type = FIXED) => ({
  'modules.json': [ROUTER],
  'router_config.json': {
    types: { doc: MLM.type, pool: SPLADE.type, idf: type },
    structure,
    parameters: { default_route: Object.keys(structure)[0] },
  },
  'pool/config.json': {},
  'idf/model.safetensors': safetensors({ weight: halves(0.5, 0, 2) }),
})

test('a route of fixed weights is read with its numbers', async () => {
  const structure = { document: ['doc', 'pool'], query: ['idf'] }
  const weights = Float32Array.of(0.5, 0, 2)
  const fixed = { tasks: ['query'], otherTasks: ['document'], isDefault: false, weights }
  expect(await sparseOf(routed(structure))).toMatchObject({ fixed })
  const first = await sparseOf(routed({ query: ['idf'], document: ['doc', 'pool'] }))
  expect(first).toMatchObject({ fixed: { tasks: ['query'], otherTasks: ['document'], isDefault: true } })
})

test('modules that we lack beside SpladePooling are refused by name', async () => {
  const files = { 'modules.json': [MLM, SPLADE, { path: 'x', type: 'sentence_transformers.models.Dense' }] }
  await expectRefused(files, 'model_unsupported', 'MLMTransformer, SpladePooling, Dense')
  const other = routed({ document: ['doc', 'pool'], query: ['idf'] }, 'somebody.Static')
  await expectRefused(other, 'model_unsupported', 'somebody.Static')
  const missing = { 'modules.json': [MLM, SPLADE] }
  await expectRefused(missing, 'model_invalid', '1_Splade', 'config.json is missing')
  const wrong = { ...missing, '1_Splade/config.json': { pooling_strategy: 'mean' } }
  const folder = await makeFolder(wrong)
  await expectRefusal(() => readPipeline(folder, 'some-model'), 'model_invalid', 'pooling_strategy')
})

test('a masked language model without modules makes sparse vectors where its name says so', async () => {
  const folder = await copyFixture('bert-no-modules')
  const config = JSON.stringify({ ...(await readConfig(folder)), architectures: ['BertForMaskedLM'] })
  const masked = await copyFixture('bert-no-modules', { 'config.json': config })
  expect((await openFolder(masked, 'org/some-SPLADE-model')).head).toEqual({
    kind: 'sparse',
    pooling: 'max',
    logarithms: 1,
  })
  expect((await openFolder(masked, 'org/bert')).head.kind).toBe('embedding')
  expect((await openFolder(folder, 'org/splade')).head.kind).toBe('embedding')
})

async function readConfig(folder: string): Promise<Record<string, unknown>> {
  return (await openFolder(folder)).config
}
