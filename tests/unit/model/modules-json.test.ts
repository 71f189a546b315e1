import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readPipeline } from '../../../src/model/modules-json.ts'
import { expectRefusal } from './expect-refusal.ts'
import type { Files } from './model-folder.ts'
import { copyFixture, makeFolder } from './model-folder.ts'
import type { RawTensor } from './safetensors-bytes.ts'
import { ones, safetensors } from './safetensors-bytes.ts'

const TRANSFORMER = 'sentence_transformers.models.Transformer'
const POOLING = 'sentence_transformers.models.Pooling'

/** modules.json of a Transformer and the modules given: [type, path] each. */
function modules(...rest: readonly (readonly [string, string])[]): object {
  const all = [[TRANSFORMER, ''], ...rest]
  return all.map(([type, path], idx) => ({ idx, name: String(idx), path, type }))
}

async function stepsOf(files: Files) {
  return (await readPipeline(await makeFolder(files), 'some-model')).steps
}

function poolingOf(config: object) {
  return stepsOf({ 'modules.json': modules([POOLING, '1_Pooling']), '1_Pooling/config.json': config })
}

async function expectRefused(files: Files, code: 'model_invalid' | 'model_unsupported', ...parts: string[]) {
  const folder = await makeFolder(files)
  await expectRefusal(() => readPipeline(folder, 'some-model'), code, ...parts)
}

test('a folder without modules.json is a Transformer alone', async () => {
  const folder = await makeFolder()
  expect(await readPipeline(folder, 'some-model')).toEqual({
    hasModules: false,
    transformer: folder,
    steps: undefined,
  })
})

test('the Transformer may stand in a folder of its own', async () => {
  const folder = await makeFolder({ 'modules.json': [{ idx: 0, path: '0_Transformer', type: TRANSFORMER }] })
  expect(await readPipeline(folder, 'some-model')).toEqual({
    hasModules: true,
    transformer: join(folder, '0_Transformer'),
    steps: [],
  })
})

test.each(['cls', 'max', 'mean', 'mean_sqrt_len_tokens', 'weightedmean', 'lasttoken'])(
  'pooling_mode "%s" is that mode',
  async (mode) => {
    const steps = [{ kind: 'pooling', modes: [mode], includePrompt: true }]
    expect(await poolingOf({ pooling_mode: mode })).toEqual(steps)
  },
)

test.each([
  ['pooling_mode_cls_token', 'cls'],
  ['pooling_mode_max_tokens', 'max'],
  ['pooling_mode_mean_tokens', 'mean'],
  ['pooling_mode_mean_sqrt_len_tokens', 'mean_sqrt_len_tokens'],
  ['pooling_mode_weightedmean_tokens', 'weightedmean'],
  ['pooling_mode_lasttoken', 'lasttoken'],
])('the legacy flag %s alone is %s', async (flag, mode) => {
  const others = { pooling_mode_cls_token: false, pooling_mode_mean_tokens: false }
  expect(await poolingOf({ ...others, [flag]: true })).toMatchObject([{ modes: [mode] }])
})

test('legacy flags join in the order of the library, whatever their order in the file', async () => {
  const flags = {
    pooling_mode_lasttoken: true,
    pooling_mode_weightedmean_tokens: true,
    pooling_mode_mean_sqrt_len_tokens: true,
    pooling_mode_mean_tokens: true,
    pooling_mode_max_tokens: true,
    pooling_mode_cls_token: true,
  }
  const modes = ['cls', 'max', 'mean', 'mean_sqrt_len_tokens', 'weightedmean', 'lasttoken']
  expect(await poolingOf(flags)).toMatchObject([{ modes }])
})

test('a list of modes keeps its own order', async () => {
  const list = ['weightedmean', 'cls', 'max']
  expect(await poolingOf({ pooling_mode: list })).toMatchObject([{ modes: list }])
})

test('pooling_mode comes before legacy flags', async () => {
  const config = { pooling_mode: 'cls', pooling_mode_mean_tokens: true }
  expect(await poolingOf(config)).toMatchObject([{ modes: ['cls'] }])
})

test('flags that are all false mean mean pooling, as in the library', async () => {
  expect(await poolingOf({ pooling_mode_mean_tokens: false })).toMatchObject([{ modes: ['mean'] }])
})

test('include_prompt false is kept', async () => {
  expect(await poolingOf({ pooling_mode: 'mean', include_prompt: false })).toMatchObject([
    { includePrompt: false },
  ])
})

test.each([
  ['an unknown mode', 'median'],
  ['an unknown mode in a list', ['mean', 'median']],
  ['an empty list', []],
])('pooling_mode with %s is refused', async (_, mode) => {
  await expectRefused(
    { 'modules.json': modules([POOLING, '1_Pooling']), '1_Pooling/config.json': { pooling_mode: mode } },
    'model_invalid',
    '1_Pooling/config.json',
    'pooling_mode',
  )
})

test('a fixture gives its whole pipeline, with paths and tensors of its own folder', async () => {
  const folder = await copyFixture('bert-dense-chain')
  const { transformer, steps = [] } = await readPipeline(folder, 'some-model')
  expect(transformer).toBe(folder)
  expect(steps.map(({ kind }) => kind)).toEqual(['pooling', 'dense', 'dense', 'normalize'])
  const dense = { bias: undefined, activation: 'identity' }
  expect(steps[1]).toMatchObject({
    ...dense,
    weight: { file: join(folder, '2_Dense/model.safetensors'), shape: [56, 32] },
  })
  expect(steps[2]).toMatchObject({
    ...dense,
    weight: { file: join(folder, '3_Dense/model.safetensors'), shape: [24, 56] },
  })
})

test('Dropout leaves no step', async () => {
  const files = { 'modules.json': modules(['sentence_transformers.models.Dropout', '1_Dropout']) }
  expect(await stepsOf(files)).toEqual([])
})

test('a LayerNorm module brings its weight and its bias', async () => {
  const type = 'sentence_transformers.sentence_transformer.modules.layer_norm.LayerNorm'
  const files = (tensors: Readonly<Record<string, RawTensor>>) => ({
    'modules.json': modules([type, '2_LayerNorm']),
    '2_LayerNorm/model.safetensors': safetensors(tensors),
  })
  expect(await stepsOf(files({ 'norm.weight': ones(4), 'norm.bias': ones(4) }))).toMatchObject([
    { kind: 'layer_norm', weight: { shape: [4] }, bias: { shape: [4] } },
  ])
  await expectRefused(
    files({ 'norm.weight': ones(4) }),
    'model_invalid',
    '2_LayerNorm',
    'norm.bias is missing',
  )
})

test('WeightedLayerPooling has a weight for each layer that it reads', async () => {
  const files = (config: object, count: number) => ({
    'modules.json': modules(['sentence_transformers.models.WeightedLayerPooling', '1_Layers']),
    '1_Layers/config.json': config,
    '1_Layers/model.safetensors': safetensors({ layer_weights: ones(count) }),
  })
  expect(await stepsOf(files({ layer_start: 1, num_hidden_layers: 3 }, 3))).toMatchObject([
    { kind: 'layers', start: 1, weights: { shape: [3] } },
  ])
  // its own defaults: 12 layers, from the fourth on
  expect(await stepsOf(files({}, 9))).toMatchObject([{ start: 4 }])
  await expectRefused(files({}, 8), 'model_invalid', 'layer_weights is F32 [8]; it must be [9]')
})

test('Normalize works on what its config names, and needs none', async () => {
  const normalize = 'sentence_transformers.models.Normalize'
  const files = { 'modules.json': modules([normalize, '2_Normalize']) }
  expect(await stepsOf(files)).toEqual([{ kind: 'normalize' }])
  const named = { ...files, '2_Normalize/config.json': { module_input_name: 'token_embeddings' } }
  expect(await stepsOf(named)).toEqual([{ kind: 'normalize', perToken: true }])
})

describe('a Router', () => {
  const ROUTER = 'sentence_transformers.base.modules.router.Router'
  const types = { both: TRANSFORMER, other: TRANSFORMER, cls: POOLING, mean: POOLING }
  const files = (structure: object, parameters: object = {}, name = 'router_config.json') => ({
    'modules.json': [
      { path: 'inner', type: ROUTER },
      { path: 'last', type: 'sentence_transformers.models.Normalize' },
    ],
    [`inner/${name}`]: { types, structure, parameters },
    'inner/cls/config.json': { pooling_mode: 'cls' },
    'inner/mean/config.json': { pooling_mode: 'mean' },
  })
  const structure = { query: ['both', 'cls'], document: ['both', 'mean'] }
  const linesOf = async (given: Files) => {
    const folder = await makeFolder(given)
    const { transformer, steps = [], routes = [] } = await readPipeline(folder, 'some-model')
    const modesOf = (line: readonly object[]) =>
      line.map((step) => Object.values(step).flat()[1] ?? 'normalize')
    return {
      transformer: transformer.slice(folder.length + 1),
      steps: modesOf(steps),
      routes: routes.map((route) => [route.tasks.join(), ...modesOf(route.steps)]),
    }
  }

  test('has a pipeline for each task, with what stands around it; the default comes first', async () => {
    expect(await linesOf(files(structure, { default_route: 'document' }))).toEqual({
      transformer: 'inner/both',
      steps: ['mean', 'normalize'],
      routes: [
        ['document', 'mean', 'normalize'],
        ['query', 'cls', 'normalize'],
      ],
    })
  })

  test('without a default takes its first route, in the older file too', async () => {
    const { steps } = await linesOf(files(structure, { allow_empty_key: true }, 'config.json'))
    expect(steps).toEqual(['cls', 'normalize'])
  })

  test('finds routes of other names by task, with text as modality', async () => {
    const named = { a: structure.query, b: structure.document }
    const mappings = {
      "('query', 'text')": 'b',
      "('query', None)": 'a',
      "('document', 'image')": 'b',
      "(None, 'text')": 'a',
    }
    const { routes } = await linesOf(files(named, { route_mappings: mappings, default_route: 'b' }))
    expect(routes).toEqual([
      ['a,b,document', 'cls', 'normalize'],
      ['query', 'mean', 'normalize'],
    ])
  })

  test('whose routes are the same is none', async () => {
    const { steps, routes } = await linesOf(files({ query: structure.query, document: structure.query }))
    expect(steps).toEqual(['cls', 'normalize'])
    expect(routes).toEqual([])
  })

  test.each([
    [
      'with Transformers of their own',
      { query: ['both', 'cls'], document: ['other', 'mean'] },
      'inner/both and inner/other',
    ],
    ['that does not begin with a Transformer', { query: ['cls'] }, 'the first module is'],
  ])('with routes %s is refused', async (_, given, message) => {
    await expectRefused(files(given), 'model_unsupported', 'some-model', message)
  })

  test.each([
    [
      'without a file',
      { 'modules.json': [{ path: 'inner', type: ROUTER }] },
      'router_config.json is missing',
    ],
    ['without routes', files({}), 'the router has no route'],
    [
      'with an unknown default',
      files(structure, { default_route: 'x' }),
      'there is no route x; there are query, document',
    ],
    ['with an unknown module', files({ query: ['nobody'] }), 'route query names nobody'],
    ['with a module outside', files({ query: ['../../both'] }), 'whose type is unknown'],
  ])('%s is refused', async (_, given, message) => {
    await expectRefused(given, 'model_invalid', 'some-model', message)
  })

  test('is supported once', async () => {
    const twice = {
      'modules.json': [
        { path: '', type: TRANSFORMER },
        { path: 'a', type: ROUTER },
        { path: 'b', type: ROUTER },
      ],
    }
    await expectRefused(twice, 'model_unsupported', '2 routers')
  })
})

test('a module that we lack is refused by its name', async () => {
  const type = 'sentence_transformers.models.WordWeights'
  const files = { 'modules.json': modules([type, '2_WordWeights']) }
  await expectRefused(
    files,
    'model_unsupported',
    'some-model/2_WordWeights',
    type,
    'supported are Transformer',
  )
})

test('the module of jina-embeddings-v3 is a Transformer', async () => {
  const own = [
    { path: '', type: 'custom_st.Transformer' },
    { path: '1_Pooling', type: POOLING },
  ]
  const folder = await makeFolder({ 'modules.json': own, '1_Pooling/config.json': { pooling_mode: 'cls' } })
  const { transformer, steps } = await readPipeline(folder, 'some-model')
  expect(transformer).toBe(folder)
  expect(steps).toMatchObject([{ kind: 'pooling', modes: ['cls'] }])
})

test('a module of somebody else is refused by its whole name, also where its last part is one of ours', async () => {
  const own = { 'modules.json': [{ path: '', type: 'own_code.Transformer' }] }
  await expectRefused(own, 'model_unsupported', 'first module', 'own_code.Transformer')
  const files = { 'modules.json': modules(['somebody.modules.Pooling', '1_Pooling']) }
  await expectRefused(files, 'model_unsupported', 'some-model/1_Pooling', 'somebody.modules.Pooling')
})

test('a Pooling module without config.json is refused', async () => {
  const files = { 'modules.json': modules([POOLING, '1_Pooling']) }
  await expectRefused(files, 'model_invalid', 'some-model/1_Pooling', 'config.json is missing')
})

test('a first module that is no Transformer is refused by its name', async () => {
  const type = 'sentence_transformers.models.BoW'
  await expectRefused(
    { 'modules.json': [{ path: '', type }] },
    'model_unsupported',
    'some-model',
    'first module',
    type,
  )
})

test('a modules.json without modules is refused', async () => {
  await expectRefused({ 'modules.json': [] }, 'model_unsupported', 'some-model', 'first module is missing')
})

test.each([
  ['no JSON', '[', 'is not JSON'],
  ['no list', {}, 'the file'],
  ['a module without type', [{ path: '' }], '0.type'],
  ['a module without path', [{ type: TRANSFORMER }], '0.path'],
])('a modules.json with %s is refused', async (_, content, message) => {
  await expectRefused({ 'modules.json': content }, 'model_invalid', 'modules.json', message)
})

test.each(['../elsewhere', '..', '1_Pooling/../../elsewhere', '../model-2'])(
  'a module path %s is refused: it leaves the folder',
  async (path) => {
    const folder = await copyFixture('bert-cls', { 'modules.json': modules([POOLING, path]) })
    const last = path.slice(path.lastIndexOf('/') + 1)
    await expectRefusal(
      () => readPipeline(folder, 'some-model'),
      'model_invalid',
      'some-model: modules.json names',
      last,
      'outside',
    )
  },
)

test('a Transformer outside the folder is refused', async () => {
  const files = { 'modules.json': [{ path: '../elsewhere', type: TRANSFORMER }] }
  await expectRefused(files, 'model_invalid', 'elsewhere', 'outside')
})
