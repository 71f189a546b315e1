import { expect, test } from 'vitest'
import { neededFiles } from '../../../src/model/needed-files.ts'

const OF = 'sentence_transformers.models'

/** A repository of the files given: text of those that were fetched, undefined for those that were not. */
function repository(
  files: Readonly<Record<string, object | undefined>>,
  exports: readonly string[] = ['onnx/model.onnx', 'model.onnx'],
) {
  return {
    model: 'some/model',
    has: async (path: string) => Object.hasOwn(files, path),
    read: async (path: string) => files[path] && JSON.stringify(files[path]),
    exports,
  }
}

const MODULES = {
  'modules.json': [
    { path: 'route', type: `${OF}.Router` },
    { path: 'norm', type: `${OF}.LayerNorm` },
    { path: 'unit', type: `${OF}.Normalize` },
  ],
}
const WEIGHTS = {
  'route/a/model.safetensors': {},
  'route/b/model.safetensors': {},
  'norm/model.safetensors': {},
}

test("a Router's folders are known once its file is read, whatever that is called", async () => {
  const types = { a: `${OF}.Transformer`, b: `${OF}.Dense`, c: `${OF}.Pooling` }
  const files = { ...MODULES, ...WEIGHTS, 'route/config.json': undefined }
  const before = await neededFiles(repository(files))
  expect(before.unread).toEqual(['route/config.json'])
  const after = await neededFiles(repository({ ...files, 'route/config.json': { types, structure: {} } }))
  expect(after.unread).toEqual([])
  expect(after.files).toEqual(
    expect.arrayContaining([
      'route/config.json',
      'route/a/config.json',
      'route/a/tokenizer.json',
      'route/a/model.safetensors',
      'route/b/config.json',
      'route/b/model.safetensors',
      'route/c/config.json',
      'norm/config.json',
      'norm/model.safetensors',
    ]),
  )
})

test('a Router without a file asks for the one it should have', async () => {
  const { files } = await neededFiles(repository(MODULES))
  expect(files).toContain('route/router_config.json')
})

test('the config of a Normalize is asked for where there is one', async () => {
  const router = { 'route/router_config.json': { types: {}, structure: {} } }
  const without = await neededFiles(repository({ ...MODULES, ...router }))
  expect(without.files).not.toContain('unit/config.json')
  const having = await neededFiles(repository({ ...MODULES, ...router, 'unit/config.json': {} }))
  expect(having.files).toContain('unit/config.json')
})

test('of a language model that reranks, what it is asked and which token is its yes are asked for', async () => {
  const { files } = await neededFiles(
    repository({
      'modules.json': [
        { path: '', type: 'sentence_transformers.base.modules.transformer.Transformer' },
        { path: '1_LogitScore', type: 'sentence_transformers.cross_encoder.modules.logit_score.LogitScore' },
      ],
      'config_sentence_transformers.json': {},
      'chat_template.jinja': {},
      'sentence_bert_config.json': {},
      'tokenizer.json': {},
      'model.safetensors': {},
    }),
  )
  expect(files).toEqual(
    expect.arrayContaining([
      '1_LogitScore/config.json',
      'chat_template.jinja',
      'config_sentence_transformers.json',
      'sentence_bert_config.json',
    ]),
  )
  expect(files).not.toContain('1_LogitScore/model.safetensors')
})

test('a repository without modules may say by other files that it reranks', async () => {
  const own = { 'chat_template.jinja': {}, 'config_sentence_transformers.json': {} }
  const { files } = await neededFiles(repository({ ...own, 'tokenizer.json': {}, 'model.safetensors': {} }))
  expect(files).toEqual(expect.arrayContaining(Object.keys(own)))
})

test('of a model that compares tokens the settings of Stanford, of PyLate’s modules and the heads beside them are fetched', async () => {
  const plain = { 'config.json': {}, 'model.safetensors': {}, 'artifact.metadata': {} }
  expect((await neededFiles(repository(plain))).files).toContain('artifact.metadata')
  const modules = [
    { path: '', type: `${OF}.Transformer` },
    { path: '1_Dense', type: 'pylate.models.Dense.Dense' },
    { path: '2_Mask', type: 'sentence_transformers.multi_vector_encoder.modules.MultiVectorMask' },
  ]
  const weights = { 'model.safetensors': {}, '1_Dense/model.safetensors': {} }
  const without = { 'modules.json': modules, ...weights }
  const { files } = await neededFiles(repository({ ...without, 'colbert_linear.pt': {} }))
  expect(files).toEqual(
    expect.arrayContaining([
      'colbert_linear.pt',
      '1_Dense/config.json',
      '1_Dense/model.safetensors',
      '2_Mask/config.json',
    ]),
  )
  expect((await neededFiles(repository(without))).files).not.toContain('colbert_linear.pt')
})

test('where there is no tokenizer.json, a model of SentencePiece is asked for with all that belongs to it', async () => {
  const others = ['tokenizer_config.json', 'special_tokens_map.json', 'added_tokens.json', 'config.json']
  const files = Object.fromEntries([...others, 'model.safetensors', 'spiece.model'].map((file) => [file, {}]))
  const { files: needed } = await neededFiles(repository(files))
  expect(needed).toEqual(expect.arrayContaining([...others, 'spiece.model']))
  expect(needed).not.toContain('tokenizer.json')
  const whole = await neededFiles(repository({ ...files, 'tokenizer.json': {} }))
  expect(whole.files).not.toContain('spiece.model')
})

test('what says how pictures and sound are prepared is fetched, under either name', async () => {
  const own = { 'preprocessor_config.json': {}, 'tokenizer.json': {}, 'model.safetensors': {} }
  expect((await neededFiles(repository(own))).files).toContain('preprocessor_config.json')
  const nested = { ...own, 'processor_config.json': {} }
  expect((await neededFiles(repository(nested))).files).toContain('processor_config.json')
  expect((await neededFiles(repository(own))).files).not.toContain('processor_config.json')
})

test('of an older pipeline with pictures, the folder of its model is fetched', async () => {
  const files = {
    'modules.json': [{ path: '0_CLIPModel', type: `${OF}.CLIPModel` }],
    '0_CLIPModel/preprocessor_config.json': {},
    '0_CLIPModel/vocab.json': {},
    '0_CLIPModel/merges.txt': {},
    '0_CLIPModel/pytorch_model.bin': {},
  }
  const { files: needed } = await neededFiles(repository(files))
  const { 'modules.json': _, ...inner } = files
  expect(needed).toEqual(expect.arrayContaining([...Object.keys(inner), '0_CLIPModel/config.json']))
})
