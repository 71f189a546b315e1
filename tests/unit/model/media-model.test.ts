/** Which sides a model folder has, and what its modules make of them. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openFolder } from '../../../src/model/open-folder.ts'
import type { EmbeddingStep } from '../../../src/model/spec.ts'
import { clapFolder } from './clap-folder.ts'
import type { Files } from './model-folder.ts'
import { copyFixture, fixturePath, patched, readObject } from './model-folder.ts'
import { ones, safetensors } from './safetensors-bytes.ts'

const CLIP = '_vision/clip'
const SIGLIP = '_siglip/siglip'

const open = async (name: string, files: Files = {}) => openFolder(await copyFixture(name, files))
const kinds = (steps: readonly EmbeddingStep[] | undefined) => steps?.map(({ kind }) => kind)

/** A pipeline of sentence-transformers whose first module is the model's own folder. */
function modules(...types: readonly string[]): object[] {
  return types.map((type, index) => ({
    idx: index,
    name: String(index),
    path: index === 0 ? '' : `${index}_${type}`,
    type: `sentence_transformers.models.${type}`,
  }))
}

test('CLIP has a side of texts and one of pictures, each with its projection, normalized', async () => {
  const spec = await open(CLIP)
  expect(spec).toMatchObject({
    modelType: 'clip_text_model',
    config: { model_type: 'clip_text_model', hidden_size: 32, vocab_size: 560 },
    tokenizer: { maxTokens: 56, passesTypes: false },
    image: { modelType: 'clip_vision_model', config: { hidden_size: 40, image_size: 32, patch_size: 8 } },
  })
  expect(spec.audio).toBeUndefined()
  const { head } = spec
  expect(head).toMatchObject({ steps: [{ modes: ['lasttoken'] }, { weight: { shape: [24, 32] } }, {}] })
  expect(kinds(spec.image?.steps)).toEqual(['dense', 'normalize'])
  expect(spec.image?.steps[0]).toMatchObject({
    weight: { shape: [24, 40] },
    bias: undefined,
    activation: 'identity',
  })
  expect(spec.image?.processing).toMatchObject({ patchSize: 8, leadingTokens: 1 })
})

test('settings that config.json leaves out are those of the classes of transformers', async () => {
  const texts = { hidden_size: 32 }
  const config = await patched(CLIP, 'config.json', {
    text_config: texts,
    vision_config: { hidden_size: 40 },
  })
  const settings = { 'config.json': config, 'preprocessor_config.json': {} }
  const spec = await open(CLIP, settings)
  expect(spec.config).toMatchObject({ vocab_size: 49_408, max_position_embeddings: 77 })
  expect(spec.image?.config).toMatchObject({ image_size: 224, patch_size: 32 })
})

test('what older folders say a second time, under another name, is what counts', async () => {
  const whole = await readObject(join(fixturePath(CLIP), 'config.json'))
  const config = {
    ...whole,
    text_config: { ...Object(whole['text_config']), hidden_act: 'relu' },
    text_config_dict: whole['text_config'],
    vision_config_dict: null,
  }
  const spec = await open(CLIP, { 'config.json': config })
  expect(spec.config).toMatchObject({ hidden_act: 'quick_gelu' })
  expect(spec.image?.config).toMatchObject({ hidden_size: 40 })
})

test('the tokenizer of CLIP is made of its vocabulary where a folder is older than tokenizer.json', async () => {
  const saved = await readObject(join(fixturePath(CLIP), 'tokenizer.json'))
  const { vocab, merges } = saved['model'] as { vocab: object; merges: string[][] }
  const lines = ['#version: 0.2', ...merges.map((pair) => pair.join(' ')), '']
  const older = { 'tokenizer.json': undefined, 'vocab.json': vocab, 'merges.txt': lines.join('\n') }
  const { tokenizer } = await open(CLIP, older)
  expect(JSON.parse(tokenizer?.content ?? '')).toEqual(saved)
  // The class is that of the model's type where no file names it.
  const unnamed = await open(CLIP, { ...older, 'tokenizer_config.json': { model_max_length: 56 } })
  expect(JSON.parse(unnamed.tokenizer?.content ?? '')).toEqual(saved)
})

test('texts of SigLIP are all as long as its positions, filled up with its padding token', async () => {
  const spec = await open(SIGLIP)
  expect(spec.tokenizer).toMatchObject({ maxTokens: 40, fill: { id: 1, tokens: 40 }, lowerCase: false })
  expect(spec.head).toMatchObject({ steps: [{ modes: ['lasttoken'] }, { bias: { shape: [40] } }, {}] })
  expect(kinds(spec.image?.steps)).toEqual(['normalize'])
  expect(spec.image?.processing.leadingTokens).toBe(0)
  const shorter = await patched(SIGLIP, 'tokenizer_config.json', { model_max_length: 24 })
  const cut = await open(SIGLIP, { 'tokenizer_config.json': shorter })
  expect(cut.tokenizer).toMatchObject({ maxTokens: 24, fill: { tokens: 24 } })
})

test('texts of SigLIP 2 are lowercased, and its pictures keep their ratio', async () => {
  const spec = await open('_siglip/siglip2')
  expect(spec.tokenizer).toMatchObject({ lowerCase: true, fill: { id: 0 } })
  expect(spec.image?.processing.resize).toEqual({ kind: 'patches', maxPatches: 24, places: 4 })
})

test('the tokenizer of SigLIP 2 lowercases texts of a SigLIP too, as SigLIP 2 of fixed sizes is saved', async () => {
  const names = { tokenizer_class: 'Siglip2Tokenizer' }
  const spec = await open(SIGLIP, {
    'tokenizer_config.json': await patched(SIGLIP, 'tokenizer_config.json', names),
  })
  expect(spec).toMatchObject({ modelType: 'siglip_text_model', tokenizer: { lowerCase: true } })
})

test('a model of pictures alone has no tokenizer and needs none', async () => {
  const spec = await open('_vision/vit')
  expect(spec).toMatchObject({
    modelType: 'vit',
    head: { kind: 'embedding', steps: [] },
    tokenizer: undefined,
  })
  expect(kinds(spec.image?.steps)).toEqual(['normalize'])
})

test('register tokens stand before the patches, beside the class token', async () => {
  const spec = await open('_vision/dinov2-registers')
  expect(spec.image?.processing.leadingTokens).toBe(4)
})

test('one side of a pair that is saved alone has its projection where its weights have one', async () => {
  const whole = await readObject(join(fixturePath(CLIP), 'config.json'))
  const pictures = {
    ...Object(whole['vision_config']),
    model_type: 'clip_vision_model',
    projection_dim: 24,
  }
  const seeing = await open(CLIP, { 'config.json': pictures, 'tokenizer.json': undefined })
  expect(seeing).toMatchObject({ tokenizer: undefined, modelType: 'clip_vision_model' })
  expect(kinds(seeing.image?.steps)).toEqual(['dense', 'normalize'])
  const texts = { ...Object(whole['text_config']), model_type: 'clip_text_model', projection_dim: 24 }
  const reading = await open(CLIP, { 'config.json': texts, 'preprocessor_config.json': undefined })
  expect(reading.image).toBeUndefined()
  expect(reading.head).toMatchObject({ steps: [{}, { weight: { shape: [24, 32] } }, { kind: 'normalize' }] })
  const siglip = await readObject(join(fixturePath(SIGLIP), 'config.json'))
  const alone = { ...Object(siglip['vision_config']), model_type: 'siglip_vision_model' }
  const { image } = await open(SIGLIP, { 'config.json': alone })
  expect(kinds(image?.steps)).toEqual(['normalize'])
})

test('a side of texts that is saved alone needs no names in front of its tensors', async () => {
  const whole = await readObject(join(fixturePath(SIGLIP), 'config.json'))
  const alone = { ...Object(whole['text_config']), model_type: 'siglip_text_model' }
  const weights = safetensors({ 'head.weight': ones(40, 32), 'head.bias': ones(40) })
  const spec = await open(SIGLIP, { 'config.json': alone, 'model.safetensors': weights })
  expect(spec.head).toMatchObject({ steps: [{}, { weight: { shape: [40, 32] } }, {}] })
  expect(spec.tokenizer).toMatchObject({ fill: { id: 1, tokens: 40 } })
})

test("what stands before the texts of a task in Jina's settings is a prompt", async () => {
  const spec = await open('_jina_clip/jina-clip-v2')
  const prompt = 'Represent the query for retrieving evidence documents: '
  expect(spec.prompts).toEqual({ query: '', document: '', 'retrieval.query': prompt })
  expect(spec).toMatchObject({ modelType: 'jina_clip_text', image: { modelType: 'jina_clip_vision' } })
  expect(kinds(spec.image?.steps)).toEqual(['normalize'])
})

test('CLAP has a side of texts and one of sound, whose pooler and projections are steps', async () => {
  const spec = await openFolder(await clapFolder())
  expect(spec.image).toBeUndefined()
  expect(spec).toMatchObject({
    modelType: 'clap_text_model',
    config: { max_position_embeddings: 514 },
    audio: { modelType: 'clap_audio_model', processing: { truncation: 'rand_trunc', maxSamples: 480_000 } },
  })
  const steps = spec.head.kind === 'embedding' ? spec.head.steps : []
  expect(steps.map((step) => (step.kind === 'dense' ? step.activation : step.kind))).toEqual([
    'pooling',
    'tanh',
    'relu',
    'identity',
    'normalize',
  ])
  const sound = spec.audio?.steps.map((step) => (step.kind === 'dense' ? step.activation : step.kind))
  expect(sound).toEqual(['relu', 'identity', 'normalize'])
  const other = await openFolder(await clapFolder({ audio: { projection_hidden_act: 'gelu' } }))
  expect(other.audio?.steps[0]).toMatchObject({ activation: 'gelu' })
})

test('a side of CLAP that is saved alone has all of its projection, or none', async () => {
  const saved = (projection: object) =>
    clapFolder({
      files: {
        'config.json': { model_type: 'clap_text_model', hidden_size: 32, vocab_size: 400 },
        'model.safetensors': safetensors({
          'pooler.dense.weight': ones(32, 32),
          'pooler.dense.bias': ones(32),
          ...projection,
        }),
      },
    })
  const { head } = await openFolder(await saved({}))
  expect(head.kind === 'embedding' && kinds(head.steps)).toEqual(['pooling', 'dense', 'normalize'])
  const half = { 'text_projection.linear1.weight': ones(16, 32), 'text_projection.linear1.bias': ones(16) }
  await expect(openFolder(await saved(half))).rejects.toMatchObject({
    code: 'model_invalid',
    message: expect.stringContaining('text_projection.linear2.weight'),
  })
})

test('where there is a modules.json, its modules alone say what becomes of vectors', async () => {
  const plain = await open(CLIP, { 'modules.json': modules('CLIPModel') })
  expect(kinds(plain.image?.steps)).toEqual(['dense'])
  expect(plain.head).toMatchObject({ steps: [{ kind: 'pooling' }, { kind: 'dense' }] })
  const unit = await open(CLIP, { 'modules.json': modules('Transformer', 'Normalize') })
  expect(kinds(unit.image?.steps)).toEqual(['dense', 'normalize'])
})

test('a model in a folder of its own, as older pipelines have it, is read there', async () => {
  const folder = await copyFixture(CLIP)
  const names = ['config.json', 'model.safetensors', 'preprocessor_config.json', 'tokenizer.json']
  await mkdir(join(folder, '0_CLIPModel'))
  for (const name of names) await rename(join(folder, name), join(folder, '0_CLIPModel', name))
  const [first] = modules('CLIPModel')
  await writeFile(join(folder, 'modules.json'), JSON.stringify([{ ...first, path: '0_CLIPModel' }]))
  const spec = await openFolder(folder)
  expect(spec.image?.processing.patchSize).toBe(8)
  expect(await readFile(spec.tokenizer?.file ?? '', 'utf8')).toContain('startoftext')
})

test('a pipeline uses the sides that it names', async () => {
  const output = { method: 'get_image_features', method_output_name: 'pooler_output' }
  const settings = { modality_config: { image: output }, module_output_name: 'sentence_embedding' }
  const files = { 'modules.json': modules('Transformer'), 'sentence_bert_config.json': settings }
  const spec = await open(CLIP, files)
  expect(spec.tokenizer).toBeUndefined()
  expect(kinds(spec.image?.steps)).toEqual(['dense'])
  const pair = {
    text: { method: 'get_text_features', method_output_name: null },
    'image+text': {},
    image: output,
  }
  const both = await open(CLIP, { ...files, 'sentence_bert_config.json': { modality_config: pair } })
  expect(both.tokenizer).toBeDefined()
  expect(both.image).toBeDefined()
})

test('a pipeline of pictures alone may pool the class token, which is what the model gives', async () => {
  const forward = { method: 'forward', method_output_name: 'last_hidden_state' }
  const files = {
    'modules.json': modules('Transformer', 'Pooling', 'Normalize'),
    'sentence_bert_config.json': { modality_config: { image: forward } },
    '1_Pooling/config.json': { pooling_mode: 'cls' },
  }
  expect(kinds((await open('_vision/vit', files)).image?.steps)).toEqual(['normalize'])
  const without = { ...files, 'modules.json': modules('Transformer') }
  const pooler = { image: { method: 'forward', method_output_name: 'pooler_output' } }
  const pooled = { ...without, 'sentence_bert_config.json': { modality_config: pooler } }
  expect(kinds((await open('_vision/dinov2', pooled)).image?.steps)).toEqual([])
  // ViT's own pooler is another layer, which is not read.
  await expect(open('_vision/vit', pooled)).rejects.toThrow('pooler_output')
})

test('prompts and dimensions of a pipeline are those of all its sides', async () => {
  const spec = await open(CLIP, {
    'modules.json': modules('CLIPModel'),
    'config_sentence_transformers.json': { prompts: { query: 'a photo of ' }, truncate_dim: 12 },
  })
  expect(spec.prompts).toEqual({ query: 'a photo of ', document: '' })
  expect(spec.truncateDimensions).toBe(12)
})
