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
    ['is empty', { lora_adaptations: [] }, ['lora_adaptations', 'at least 1']],
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
