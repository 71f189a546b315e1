/** Which language models rerank, and how they are asked; the scores themselves are compared in tests/golden. */
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openFolder } from '../../../src/model/open-folder.ts'
import { expectRefusal } from './expect-refusal.ts'
import type { Files } from './model-folder.ts'
import { makeFolder, readObject } from './model-folder.ts'

const GOLDEN = join(import.meta.dirname, '../../golden/lmrerank')

/** A copy of a fixture in a folder of this name, which says nothing of what it was made from. */
async function copy(fixture: string, files: Files = {}, name = 'model'): Promise<string> {
  const folder = join(await makeFolder(), name)
  await mkdir(folder, { recursive: true })
  await cp(join(GOLDEN, fixture, 'model'), folder, { recursive: true })
  const config = await readObject(join(folder, 'config.json'))
  await writeFile(join(folder, 'config.json'), JSON.stringify({ ...config, _name_or_path: undefined }))
  for (const [file, content] of Object.entries(files)) {
    await writeFile(join(folder, file), typeof content === 'string' ? content : JSON.stringify(content))
  }
  return folder
}

async function idOf(folder: string, token: string): Promise<number | undefined> {
  const { model } = (await readObject(join(folder, 'tokenizer.json'))) as {
    model: { vocab: Record<string, number> }
  }
  return model.vocab[token]
}

const TEMPLATE = "{{ messages | map(attribute='content') | join('-') }}"

test('a language model of which nothing says that it reranks is an embedder', async () => {
  const { head, tokenizer } = await openFolder(await copy('qwen3-reranker'))
  expect(head.kind).toBe('embedding')
  expect(tokenizer).not.toHaveProperty('pairPrompt')
})

test('a chat template that names no roles of a pair says nothing', async () => {
  const folder = await copy('qwen3-reranker', { 'chat_template.jinja': TEMPLATE })
  expect((await openFolder(folder)).head.kind).toBe('embedding')
})

test.each([
  ['the name it is served under', 'model', 'Qwen/Qwen3-Reranker-4B'],
  ['the name of its folder', 'my-Qwen3_reranker', 'alias'],
  ["its repository's name in the hub's cache", 'models--Qwen--Qwen3-Reranker-8B/snapshots/0123', 'alias'],
])('%s tells how it is asked', async (_, name, served) => {
  const folder = await copy('qwen3-reranker', {}, name)
  const { head, tokenizer } = await openFolder(folder, served)
  expect(head).toMatchObject({
    kind: 'classification',
    labels: ['LABEL_0'],
    activation: 'sigmoid',
    answers: { yes: await idOf(folder, 'yes'), no: await idOf(folder, 'no'), divisor: 1 },
  })
  expect(tokenizer?.pairPrompt).toMatchObject({
    kind: 'pieces',
    instruction: 'Given a web search query, retrieve relevant passages that answer the query',
  })
})

test('a name is of one architecture: a model of another kind is not asked what it was never taught', async () => {
  await expectRefusal(
    async () => openFolder(await copy('bge-reranker-gemma'), 'mxbai-rerank-base-v2'),
    'model_unsupported',
    'chat template with the roles query and document',
  )
})

test('the folder tells what it was made from', async () => {
  const { head } = await openFolder(join(GOLDEN, 'zerank/model'))
  expect(head).toMatchObject({ answers: { no: undefined, divisor: 5 } })
})

test('a folder that calls itself a CrossEncoder is asked by its template, without modules.json too', async () => {
  const folder = await copy('qwen3-reranker', {
    'config_sentence_transformers.json': { model_type: 'CrossEncoder' },
    'chat_template.jinja': TEMPLATE,
  })
  const { head, tokenizer } = await openFolder(folder)
  expect(head).toMatchObject({ answers: { yes: await idOf(folder, 'yes') } })
  expect(tokenizer?.pairPrompt).toMatchObject({
    kind: 'chat',
    template: TEMPLATE,
    file: 'model/chat_template.jinja',
    contents: 'flat',
  })
})

test("a folder's modules say what it is, whatever its name", async () => {
  const type = 'sentence_transformers.models'
  const folder = await copy('qwen3-reranker', {
    'modules.json': [
      { path: '', type: `${type}.Transformer` },
      { path: '1_Dropout', type: `${type}.Dropout` },
    ],
  })
  expect((await openFolder(folder, 'Qwen3-Reranker')).head.kind).toBe('embedding')
})

test('the default prompt of the folder is its instruction, and its settings are given to the template', async () => {
  const { head, tokenizer } = await openFolder(join(GOLDEN, 'asked-one-token/model'))
  expect(head).toMatchObject({ activation: 'identity', answers: { no: undefined, divisor: 1 } })
  expect(tokenizer?.pairPrompt).toMatchObject({
    kind: 'chat',
    contents: 'structured',
    instruction: 'Does it fit?',
    variables: { add_generation_prompt: true, eos_token: '<|endoftext|>', bos_token: '<bos>' },
  })
})

test('where the Transformer module reads texts only, a pair is no message', async () => {
  const folder = await copy('asked-logit-score')
  const config = await readObject(join(folder, 'sentence_bert_config.json'))
  const texts = { ...config, modality_config: { text: { method: 'forward', method_output_name: 'logits' } } }
  await writeFile(join(folder, 'sentence_bert_config.json'), JSON.stringify(texts))
  const { head, tokenizer } = await openFolder(folder)
  expect(head).toHaveProperty('answers.yes')
  expect(tokenizer).not.toHaveProperty('pairPrompt')
})

test('a template may stand in tokenizer_config.json, alone or as the default of several', async () => {
  const template = "{{ messages | selectattr('role', 'eq', 'query') }}{{ 'document' }}"
  for (const given of [
    template,
    [
      { name: 'tools', template: 'no' },
      { name: 'default', template },
    ],
  ]) {
    const folder = await copy('qwen3-reranker')
    const config = await readObject(join(folder, 'tokenizer_config.json'))
    await writeFile(
      join(folder, 'tokenizer_config.json'),
      JSON.stringify({ ...config, chat_template: given }),
    )
    expect((await openFolder(folder)).tokenizer?.pairPrompt).toMatchObject({
      kind: 'chat',
      template,
      file: 'model/tokenizer_config.json',
    })
  }
})

test.each(['truncation', 'max_length', 'restore_suffix', 'chat_template'])(
  'a setting of the template that changes more than its text is refused: %s',
  async (setting) => {
    const folder = await copy('asked-logit-score')
    const config = await readObject(join(folder, 'sentence_bert_config.json'))
    const changed = { ...config, processing_kwargs: { chat_template: { [setting]: false } } }
    await writeFile(join(folder, 'sentence_bert_config.json'), JSON.stringify(changed))
    await expectRefusal(() => openFolder(folder), 'model_unsupported', `sets ${setting} to false`)
  },
)

test('a name that says no more than that it reranks is refused, with the names that say more', async () => {
  await expectRefusal(
    async () => openFolder(await copy('qwen3-reranker'), 'my-rerank-model'),
    'model_unsupported',
    'chat_template.jinja',
    'Qwen3-Reranker (qwen3), zerank (qwen3), mxbai-rerank-v2 (qwen2)',
  )
})

test.each([
  ['served', 'model', 'jinaai/jina-reranker-v3', ['JinaForRanking']],
  ['its folder', 'my-reranker', 'alias', ['BertModel']],
  ["its repository's", 'models--org--rerank/snapshots/0123', 'alias', undefined],
])(
  'a name that says it reranks, %s, with an architecture that gives no score is refused',
  async (...given) => {
    const [, name, served, architectures] = given
    const folder = await copy('qwen3-reranker', {}, name)
    const config = await readObject(join(folder, 'config.json'))
    await writeFile(join(folder, 'config.json'), JSON.stringify({ ...config, architectures }))
    await expectRefusal(
      () => openFolder(folder, served),
      'model_unsupported',
      `its name says that it reranks, but its architecture is ${architectures?.[0] ?? 'no architecture'}`,
    )
  },
)

test('an embedder that was made from a reranker, or has modules, stays one', async () => {
  const folder = await copy('qwen3-reranker')
  const config = { ...(await readObject(join(folder, 'config.json'))), architectures: ['Qwen3Model'] }
  const made = { ...config, _name_or_path: 'org/some-reranker' }
  await writeFile(join(folder, 'config.json'), JSON.stringify(made))
  expect((await openFolder(folder, 'some-model')).head.kind).toBe('embedding')
  const type = 'sentence_transformers.models'
  const modules = [
    { path: '', type: `${type}.Transformer` },
    { path: '1_Dropout', type: `${type}.Dropout` },
  ]
  await writeFile(join(folder, 'modules.json'), JSON.stringify(modules))
  expect((await openFolder(folder, 'some-reranker')).head.kind).toBe('embedding')
})

test('an answer that the vocabulary lacks is refused by its name', async () => {
  const folder = await copy('qwen3-reranker')
  const json = (await readObject(join(folder, 'tokenizer.json'))) as { model: { vocab: object } }
  const vocab = { ...json.model.vocab, no: undefined }
  await writeFile(
    join(folder, 'tokenizer.json'),
    JSON.stringify({ ...json, model: { ...json.model, vocab } }),
  )
  await expectRefusal(() => openFolder(folder, 'Qwen3-Reranker'), 'model_unsupported', 'lacks the token "no"')
})

test('LogitScore behind anything but a language model is refused', async () => {
  const folder = await copy('asked-logit-score')
  const config = await readObject(join(folder, 'config.json'))
  await writeFile(join(folder, 'config.json'), JSON.stringify({ ...config, architectures: ['Qwen3Model'] }))
  await expectRefusal(() => openFolder(folder), 'model_unsupported', 'LogitScore stands behind Qwen3Model')
})

test.each([
  ['no id', {}, 'true_token_id'],
  ['another feature', { true_token_id: 1, module_input_name: 'x' }, 'module_input_name'],
])('a LogitScore with %s is refused', async (_, config, part) => {
  const folder = await copy('asked-logit-score', { '1_LogitScore/config.json': config })
  await expectRefusal(() => openFolder(folder), 'model_invalid', part)
})

test('a classifier without modules is asked as the language model that it was made from', async () => {
  const folder = await copy('qwen3-reranker-classifier')
  expect((await openFolder(folder)).tokenizer).not.toHaveProperty('pairPrompt')
  const { head, tokenizer } = await openFolder(folder, 'tomaarsen/Qwen3-Reranker-0.6B-seq-cls')
  expect(head).not.toHaveProperty('answers')
  expect(tokenizer?.pairPrompt).toMatchObject({ kind: 'pieces' })
})
