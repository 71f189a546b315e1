/** Folders of models that compare texts token by token: which they are, and how they read queries and documents. */
import { execFileSync } from 'node:child_process'
import { copyFile, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openFolder } from '../../../src/model/open-folder.ts'
import type { MultiVectorHead } from '../../../src/model/spec.ts'
import { expectRefusal } from './expect-refusal.ts'
import type { Files } from './model-folder.ts'
import { copyFixture, fixturePath, patched } from './model-folder.ts'

const NATIVE = 'multi_vector/multi-vector-bert'
const PYLATE = 'multi_vector/multi-vector-pylate'
const PYLATE_V3 = 'multi_vector/multi-vector-pylate-v3'
const STANFORD = 'multi_vector/multi-vector-stanford'
const THREE = 'multi_vector/bge-m3-three-heads'

const SETTINGS = 'config_sentence_transformers.json'
const READING = 'sentence_bert_config.json'
const METADATA = 'artifact.metadata'

async function open(fixture: string, files: Files = {}) {
  const spec = await openFolder(await copyFixture(fixture, files))
  return { ...spec, head: spec.head as MultiVectorHead }
}

async function rulesOf(fixture: string, files: Files = {}) {
  return (await open(fixture, files)).head.rules
}

/** A fixture's file with some keys changed. */
async function changed(fixture: string, file: string, changes: object): Promise<Files> {
  return { [file]: await patched(fixture, file, changes) }
}

function refused(
  fixture: string,
  files: Files,
  code: 'model_invalid' | 'model_unsupported',
  ...says: string[]
) {
  return expectRefusal(() => open(fixture, files), code, ...says)
}

describe('sentence-transformers’ own folders', () => {
  test('say how long queries and documents are, what fills queries up, and which tokens are dropped', async () => {
    const { head, prompts, tokenizer } = await open(NATIVE)
    expect(head.kind).toBe('multi_vector')
    expect(head.steps.map(({ kind, ...step }) => [kind, 'perToken' in step && step.perToken])).toEqual([
      ['dense', true],
      ['normalize', true],
    ])
    const { query, document, similarity } = head.rules
    const expansion = { id: 4, tokens: 20, attended: false }
    expect(query).toEqual({ maxTokens: 20, skippedIds: [], expansion })
    expect(document).toMatchObject({ maxTokens: 24 })
    // of punctuation what the vocabulary knows
    expect(document.skippedIds).toHaveLength(20)
    expect(similarity).toBe('sum')
    expect(prompts).toEqual({ query: '[Q] ', document: '[D] ' })
    expect(tokenizer?.unseenId).toBe(4)
  })

  test('may fill queries up to a floor, with a token of their own that is attended to, and take the mean', async () => {
    const { head, tokenizer } = await open('multi_vector/multi-vector-attended')
    const { query, document, similarity } = head.rules
    expect(query).toMatchObject({ maxTokens: 30, expansion: { id: 0, tokens: 14, attended: true } })
    expect(query.skippedIds).toEqual(document.skippedIds)
    expect(query.skippedIds).toHaveLength(2)
    expect(document.maxTokens).toBeUndefined()
    expect(similarity).toBe('mean')
    expect(tokenizer).not.toHaveProperty('unseenId')
  })

  test('may name the only tokens of documents that count', async () => {
    const { query, document } = await rulesOf('multi_vector/multi-vector-allow-list')
    expect(query).toEqual({ maxTokens: 9, skippedIds: [] })
    expect(document).toEqual({ skippedIds: [], keptIds: [5, 6, 20, 30, 40, 50, 60] })
  })

  test('without a mask module fill queries up only with tokens that are attended to', async () => {
    const modules = JSON.parse(await readFile(join(fixturePath(NATIVE), 'modules.json'), 'utf8')) as {
      type: string
    }[]
    const files = { 'modules.json': modules.filter(({ type }) => !type.endsWith('MultiVectorMask')) }
    expect((await rulesOf(NATIVE, files)).query).toEqual({ maxTokens: 20, skippedIds: [] })
    const expansion = { strategy: 'fixed', length: 20, attend: true }
    const attended = await changed(NATIVE, READING, { query_expansion: expansion })
    expect((await rulesOf(NATIVE, { ...files, ...attended })).query.expansion).toMatchObject({ tokens: 20 })
  })

  test('are known by the mask module alone, or by what Stanford calls its models', async () => {
    const settings = { prompts: { query: 'q' } }
    expect((await open(NATIVE, { [SETTINGS]: settings })).head.kind).toBe('multi_vector')
    const modules = JSON.parse(await readFile(join(fixturePath(NATIVE), 'modules.json'), 'utf8')) as {
      type: string
    }[]
    const unmasked = { 'modules.json': modules.filter(({ type }) => !type.endsWith('MultiVectorMask')) }
    const config = await changed(NATIVE, 'config.json', { architectures: ['HF_ColBERT'] })
    expect((await open(NATIVE, { [SETTINGS]: settings, ...unmasked, ...config })).head.kind).toBe(
      'multi_vector',
    )
    const nothing = await open(NATIVE, { [SETTINGS]: settings, ...unmasked })
    expect(nothing.head.kind).toBe('embedding')
  })

  test.each([
    [{ query_expansion: { strategy: 'other', length: 9 } }, 'query_expansion'],
    [{ query_expansion: { strategy: 'fixed' } }, 'query_expansion'],
    [{ query_expansion: { strategy: 'fixed', length: 9, tokens: 3 } }, 'query_expansion'],
    [{ query_length: 0 }, 'query_length'],
    [{ query_length: 19 }, 'query_length is 19'],
    [{ query_expansion: { strategy: 'fixed', length: 9, token: 'no such' } }, 'no such'],
  ])('with %j are refused', async (settings, says) => {
    await refused(NATIVE, await changed(NATIVE, READING, settings), 'model_invalid', says)
  })

  test('whose rows are filled up at their beginning are refused, unless nothing is filled up', async () => {
    const left = await changed(NATIVE, 'tokenizer_config.json', { padding_side: 'left' })
    await refused(NATIVE, left, 'model_unsupported', 'padding_side left')
    const plain = await changed(NATIVE, READING, { query_expansion: null })
    expect((await rulesOf(NATIVE, { ...left, ...plain })).query).toEqual({ skippedIds: [] })
  })

  test('whose vocabulary is larger than the model are refused where they fill up with a token beyond it', async () => {
    const config = await changed(NATIVE, 'config.json', { vocab_size: 4 })
    await refused(NATIVE, config, 'model_invalid', 'has id 4, which the model lacks')
  })

  test('name the token by its flags, or not at all', async () => {
    for (const mask_token of [{ content: '[MASK]', lstrip: false }, undefined]) {
      const files = await changed(NATIVE, 'tokenizer_config.json', { mask_token })
      expect((await rulesOf(NATIVE, files)).query.expansion?.id).toBe(4)
    }
    const sep = await changed(NATIVE, 'tokenizer_config.json', { mask_token: '[UNK]' })
    expect((await rulesOf(NATIVE, sep)).query.expansion?.id).toBe(1)
  })

  test('with a LayerNorm or a Router are refused', async () => {
    const modules = JSON.parse(await readFile(join(fixturePath(NATIVE), 'modules.json'), 'utf8')) as object[]
    const norm = { path: '9_LayerNorm', type: 'sentence_transformers.models.LayerNorm' }
    await refused(NATIVE, { 'modules.json': [...modules, norm] }, 'model_unsupported', 'LayerNorm')
    const router = { path: '', type: 'sentence_transformers.models.Router' }
    const structure = {
      types: Object.fromEntries(
        (modules as { path: string; type: string }[]).map(({ path, type }) => [path, type]),
      ),
      structure: { query: [''], document: (modules as { path: string }[]).map(({ path }) => path) },
    }
    const files = { 'modules.json': [router], 'router_config.json': structure }
    await refused(NATIVE, files, 'model_unsupported', 'Router')
  })
})

describe('PyLate’s folders', () => {
  test('have markers before their prompts, and Dense and Normalize of tokens', async () => {
    const { head, prompts, tokenizer } = await open(PYLATE)
    expect(head.steps.map(({ kind }) => kind)).toEqual(['dense', 'normalize'])
    expect(head.rules.query).toMatchObject({ maxTokens: 26, expansion: { tokens: 26, attended: false } })
    expect(head.rules.document).toMatchObject({ maxTokens: 30 })
    expect(prompts).toEqual({ query: '[Q] ', document: '[D] passage: ' })
    expect(tokenizer?.markers).toEqual(['[Q] ', '[D] '])
  })

  test('whose prompts begin with their markers have them once', async () => {
    const files = await changed(PYLATE, SETTINGS, { prompts: { document: '[D] passage: ' } })
    expect((await open(PYLATE, files)).prompts).toEqual({ query: '[Q] ', document: '[D] passage: ' })
  })

  test.each([
    [{ do_query_expansion: false }, { maxTokens: 26, skippedIds: [] }],
    [
      { do_query_expansion: null, query_length: null },
      { maxTokens: 32, expansion: { tokens: 32 } },
    ],
    [{ attend_to_expansion_tokens: true }, { expansion: { attended: true } }],
    [
      { attend_to_expansion_tokens: undefined, attend_to_mask_tokens: true },
      { expansion: { attended: true } },
    ],
    [
      { query_expansion: { strategy: 'min', length: 12 }, query_length: 18 },
      { maxTokens: 18, expansion: { tokens: 12 } },
    ],
    [
      { query_expansion: null, query_length: 18 },
      { maxTokens: 18, skippedIds: [] },
    ],
  ])('with %j read queries as the library does', async (changes, expected) => {
    expect((await rulesOf(PYLATE, await changed(PYLATE, SETTINGS, changes))).query).toMatchObject(expected)
  })

  test('are overruled by what their Transformer says itself, be it nothing', async () => {
    const files = await changed(PYLATE, READING, { document_length: 9, query_expansion: null })
    const { query, document } = await rulesOf(PYLATE, files)
    expect(document.maxTokens).toBe(9)
    expect(query.expansion).toBeUndefined()
  })

  test.each([
    ['PyLate’s own where there are prefixes', { skiplist_words: undefined }, 20],
    ['none where the list is empty', { skiplist_words: [] }, 0],
    [
      'none without prefixes and a list',
      { skiplist_words: undefined, query_prefix: undefined, document_prefix: undefined },
      0,
    ],
  ])('drop the tokens of documents that they name: %s', async (_, changes, count) => {
    const { document } = await rulesOf(PYLATE, await changed(PYLATE, SETTINGS, changes))
    expect(document.skippedIds).toHaveLength(count)
  })

  test('of model_type ColBERT drop punctuation unless they say otherwise', async () => {
    expect((await rulesOf(PYLATE_V3)).document.skippedIds).toHaveLength(20)
    const files = await changed(PYLATE_V3, SETTINGS, { query_prefix: undefined, document_prefix: undefined })
    expect((await rulesOf(PYLATE_V3, files)).document.skippedIds).toHaveLength(20)
  })

  test('without a Dense module are refused: what is compared would be random', async () => {
    const transformer = { path: '', type: 'sentence_transformers.models.Transformer' }
    await refused(PYLATE, { 'modules.json': [transformer] }, 'model_invalid', 'Dense')
  })

  test('leave out what makes one vector of a text', async () => {
    const modules = JSON.parse(await readFile(join(fixturePath(PYLATE), 'modules.json'), 'utf8')) as object[]
    const type = 'sentence_transformers.models'
    const files = {
      'modules.json': [
        ...modules,
        { path: '8_Pooling', type: `${type}.Pooling` },
        { path: '9_Normalize', type: `${type}.Normalize` },
      ],
      '8_Pooling/config.json': { pooling_mode: 'mean' },
    }
    const { head } = await open(PYLATE, files)
    expect(head.steps.map(({ kind }) => kind)).toEqual(['dense', 'normalize'])
  })
})

describe('Stanford’s folders', () => {
  test('have their matrix beside the body, and their markers in the vocabulary', async () => {
    const { head, prompts, tokenizer, tensors } = await open(STANFORD)
    expect(head.steps).toMatchObject([
      { kind: 'dense', weight: { shape: [12, 32] }, activation: 'identity', perToken: true },
      { kind: 'normalize', perToken: true },
    ])
    expect(tensors).not.toHaveProperty('linear.weight')
    expect(prompts).toEqual({ query: '[unused0] ', document: '[unused1] ' })
    expect(tokenizer?.markers).toEqual(['[unused0] ', '[unused1] '])
    expect(head.rules.query).toMatchObject({ maxTokens: 24, expansion: { tokens: 24, attended: false } })
  })

  test('without settings have those of ColBERT', async () => {
    const { head, prompts } = await open(STANFORD, { [METADATA]: undefined })
    expect(head.rules.query).toMatchObject({ maxTokens: 32, expansion: { tokens: 32, attended: false } })
    expect(head.rules.document.maxTokens).toBeUndefined()
    expect(head.rules.document.skippedIds).toHaveLength(20)
    expect(prompts).toEqual({ query: '[unused0] ', document: '[unused1] ' })
  })

  test.each([
    [{ mask_punctuation: false }, 0],
    [{ mask_punctuation: null }, 0],
    [{ mask_punctuation: undefined }, 20],
  ])('with %j drop punctuation or not', async (changes, count) => {
    const { document } = await rulesOf(STANFORD, await changed(STANFORD, METADATA, changes))
    expect(document.skippedIds).toHaveLength(count)
  })

  test.each([
    ['query_token_id', '[nothere]', 'query_token_id of artifact.metadata is "[nothere]"'],
    ['doc_token_id', 'hello there', 'doc_token_id of artifact.metadata is "hello there"'],
    ['doc_token_id', 'hello '.repeat(99_999), `is "${'hello '.repeat(16)}hell…"`],
  ])('whose %s is no token are refused: %.20s', async (field, token, message) => {
    const files = await changed(STANFORD, METADATA, { [field]: token })
    await refused(STANFORD, files, 'model_invalid', message)
  })

  test('of another similarity, or without the matrix, are refused', async () => {
    const l2 = await changed(STANFORD, METADATA, { similarity: 'l2' })
    await refused(STANFORD, l2, 'model_unsupported', 'similarity l2')
    const folder = await copyFixture(STANFORD)
    await copyFile(join(fixturePath('bert-prefixed'), 'model.safetensors'), join(folder, 'model.safetensors'))
    await expectRefusal(() => openFolder(folder), 'model_invalid', 'linear.weight')
  })
})

describe('colbert_linear.pt', () => {
  test('lies beside a dense model, which compares all tokens but the first then', async () => {
    const { head } = await openFolder(fixturePath(THREE))
    expect(head).toMatchObject({
      kind: 'embedding',
      multiVector: {
        weight: { shape: [12, 32], dtype: 'F16' },
        bias: { shape: [12] },
        rules: { query: { skippedStart: 1 }, document: { skippedStart: 1 }, similarity: 'mean' },
      },
    })
  })

  test('means nothing in another family’s folder', async () => {
    const folder = await copyFixture('bert-cls')
    await copyFile(join(fixturePath(THREE), 'colbert_linear.pt'), join(folder, 'colbert_linear.pt'))
    expect((await openFolder(folder)).head).not.toHaveProperty('multiVector')
  })

  test.each(['colbert_linear.pt', 'sparse_linear.pt'])('as a pipe is refused, as is %s', async (name) => {
    const folder = await copyFixture(THREE)
    await rm(join(folder, name))
    execFileSync('mkfifo', [join(folder, name)])
    await expectRefusal(() => openFolder(folder), 'model_invalid', `${name} is not a regular file`)
  })

  test('of another width is refused', async () => {
    const folder = await copyFixture(THREE)
    const { readTokenHead } = await import('../../../src/model/token-head.ts')
    const config = { model_type: 'xlm-roberta', hidden_size: 64 }
    await expectRefusal(
      () => readTokenHead(folder, config, 'some-model'),
      'model_invalid',
      'some-model: colbert_linear.pt must hold weight [D, 64] and bias [D]; it has weight [12, 32], bias [12]',
    )
  })
})
