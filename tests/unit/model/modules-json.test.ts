import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readPipeline } from '../../../src/model/modules-json.ts'
import { expectRefusal } from './expect-refusal.ts'
import type { Files } from './model-folder.ts'
import { copyFixture, makeFolder } from './model-folder.ts'

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

test('a folder without modules.json is a Transformer with mean pooling', async () => {
  const folder = await makeFolder()
  expect(await readPipeline(folder, 'some-model')).toEqual({
    hasModules: false,
    transformer: folder,
    steps: [{ kind: 'pooling', modes: ['mean'], includePrompt: true }],
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
  const { transformer, steps } = await readPipeline(folder, 'some-model')
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

test('a module of somebody else is refused by its whole name, also where its last part is one of ours', async () => {
  const own = { 'modules.json': [{ path: '', type: 'custom_st.Transformer' }] }
  await expectRefused(own, 'model_unsupported', 'first module', 'custom_st.Transformer')
  const files = { 'modules.json': modules(['somebody.modules.Pooling', '1_Pooling']) }
  await expectRefused(files, 'model_unsupported', 'some-model/1_Pooling', 'somebody.modules.Pooling')
})

test('a Pooling module without config.json is refused', async () => {
  const files = { 'modules.json': modules([POOLING, '1_Pooling']) }
  await expectRefused(files, 'model_invalid', 'some-model/1_Pooling', 'config.json is missing')
})

test('a first module that is no Transformer is refused by its name', async () => {
  const type = 'sentence_transformers.models.StaticEmbedding'
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
