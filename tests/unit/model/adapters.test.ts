import { describe, expect, test } from 'vitest'
import { openFolder } from '../../../src/model/open-folder.ts'
import { expectRefusal } from './expect-refusal.ts'
import { copyFixture, patched } from './model-folder.ts'

const FIXTURE = 'jina_flash/jina-v3-adapters'
const TASKS = ['retrieval.query', 'retrieval.passage', 'separation', 'classification', 'text-matching']

async function open(config: object, files: Readonly<Record<string, object | undefined>> = {}) {
  const patch = { 'config.json': await patched(FIXTURE, 'config.json', config) }
  return openFolder(await copyFixture(FIXTURE, { ...patch, ...files }))
}

describe('adapters in the weights', () => {
  test('are those of the tasks that config.json lists, in its order', async () => {
    expect((await open({})).adapters).toEqual(TASKS)
  })

  test('have the prompts of config.json where sentence-transformers’ own file names none', async () => {
    const nothing = { 'modules.json': undefined, 'config_sentence_transformers.json': undefined }
    const { prompts } = await open({ task_instructions: { separation: 'Separate: ' } }, nothing)
    const empty = Object.fromEntries(TASKS.map((task) => [task, '']))
    expect(prompts).toEqual({ query: '', document: '', ...empty, separation: 'Separate: ' })
  })

  test('have the prompts of sentence-transformers’ own file where it names some', async () => {
    const settings = { prompts: { separation: 'Own: ', 'retrieval.query': '' } }
    const { prompts } = await open({}, { 'config_sentence_transformers.json': settings })
    expect(prompts).toMatchObject({
      separation: 'Own: ',
      'retrieval.query': '',
      'retrieval.passage': 'Represent the document for retrieval: ',
    })
  })

  test.each([
    ['is missing', { lora_adaptations: undefined }, ['lora_adaptations', 'a list']],
    ['is empty', { lora_adaptations: [] }, ['lora_adaptations', 'at least 1 items long']],
    ['has a name twice', { lora_adaptations: ['a', 'b', 'a'] }, ['lora_adaptations', '"a" twice']],
    ['names no text', { task_instructions: { separation: 1 } }, ['task_instructions.separation', 'a string']],
  ])('whose list of tasks %s are refused', async (_, config, parts) => {
    await expectRefusal(() => open(config), 'model_invalid', 'config.json', ...parts)
  })
})

test('a list of tasks without adapters in the weights means nothing', async () => {
  const folder = await copyFixture('bert-mean-normalize', {
    'config.json': await patched('bert-mean-normalize', 'config.json', { lora_adaptations: TASKS }),
  })
  const { adapters, prompts } = await openFolder(folder)
  expect(adapters).toBeUndefined()
  expect(Object.keys(prompts)).toEqual(['query', 'document'])
})

describe('adapters in folders beside the weights', () => {
  const FOLDERS = 'jina_flash/jina-v3-folders'
  const renamed = 'jina_flash/jina-v3-folders-renamed'
  const without = (folder: string) => ({ [`${folder}/adapter_config.json`]: undefined })

  test('are those of the tasks whose folders are there, with the prompts of config.json', async () => {
    const { adapters, adapterParts, prompts } = await openFolder(
      await copyFixture(renamed, without('retrieval_query')),
    )
    expect(adapters).toEqual(TASKS.slice(1))
    expect(adapterParts?.map((parts) => Object.keys(parts).length)).toEqual([6, 15, 3, 4])
    expect(prompts['retrieval.passage']).toBe('Represent the document for retrieval: ')
    expect(prompts['retrieval.query']).toBeUndefined()
  })

  test('are none where no folder is there', async () => {
    const folders = ['retrieval_query', 'retrieval_passage', 'separation', 'classification', 'text_matching']
    const spec = await openFolder(await copyFixture(FOLDERS, Object.assign({}, ...folders.map(without))))
    expect(spec.adapters).toBeUndefined()
    expect(spec.adapterParts).toBeUndefined()
  })

  test('of another architecture are not looked for', async () => {
    const files = { 'separation/adapter_config.json': 'broken' }
    const { adapters } = await openFolder(await copyFixture('bert-mean-normalize', files))
    expect(adapters).toBeUndefined()
  })

  test('beside an exported model, which knows of none, are not read', async () => {
    const exported = 'exported/exported-mean-normalize'
    const config = await patched(exported, 'config.json', { model_type: 'jina_embeddings_v3' })
    const files = { 'config.json': config, 'separation/adapter_config.json': 'broken' }
    expect((await openFolder(await copyFixture(exported, files))).adapters).toBeUndefined()
  })

  test('that are broken are refused, and the folder is named', async () => {
    const folder = await copyFixture(FOLDERS, { 'separation/adapter_model.safetensors': undefined })
    await expectRefusal(
      () => openFolder(folder),
      'model_invalid',
      'separation/adapter_model.safetensors is missing',
    )
  })

  test('whose prompts are no texts are refused', async () => {
    const config = await patched(FOLDERS, 'config.json', { task_instructions: { separation: 1 } })
    const folder = await copyFixture(FOLDERS, { 'config.json': config })
    await expectRefusal(() => openFolder(folder), 'model_invalid', 'task_instructions.separation')
  })
})
