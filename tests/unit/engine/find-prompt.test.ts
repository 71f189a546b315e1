import { describe, expect, test } from 'vitest'
import { findPrompt } from '../../../src/engine/find-prompt.ts'
import type { ModelSpec } from '../../../src/model/spec.ts'
import { NO_ADAPTER } from '../../../src/runtime/runner.ts'
import type { PromptChoice } from '../../../src/task.ts'
import { POOLING, fakeModel } from '../../fakes/model.ts'

function modelWith(prompts: Record<string, string>, more: Partial<ModelSpec> = {}): ModelSpec {
  return fakeModel({ spec: { prompts, ...more } }).spec
}

/** The text that a name stands for; undefined: the name is ignored. */
function textOf(prompts: Record<string, string>, name: string): string | undefined {
  const { prompt, ignoredPrompt } = findPrompt(modelWith(prompts), { name, ifUnknown: 'ignore' })
  expect(ignoredPrompt).toBe(ignoredPrompt === undefined ? undefined : name)
  return ignoredPrompt === undefined ? prompt.text : undefined
}

/** Of sentence-transformers' making: a query and a document are always there. */
const EMPTY = { query: '', document: '' }
const QUERIES = ['query', 'search_query', 'retrieval.query', 'retrieval_query', 'code.query', 'nl2code.query']
const DOCUMENTS = [
  'document',
  'passage',
  'search_document',
  'retrieval.passage',
  'retrieval_passage',
  'qa.passage',
]

describe('names', () => {
  test.each([
    ['E5', { ...EMPTY, query: 'query: ', passage: 'passage: ' }, 'query: ', 'passage: '],
    ['Nomic', { ...EMPTY, search_query: 'sq: ', search_document: 'sd: ' }, 'sq: ', 'sd: '],
    ['Jina 3', { ...EMPTY, 'retrieval.query': 'rq ', 'retrieval.passage': 'rp ' }, 'rq ', 'rp '],
    ['a model of queries', { ...EMPTY, query: 'q: ' }, 'q: ', ''],
    ['a model without prompts', EMPTY, '', ''],
  ])('that mean the same find the same prompt of %s', (_, prompts, query, document) => {
    expect(QUERIES.map((name) => textOf(prompts, name))).toEqual(QUERIES.map(() => query))
    expect(DOCUMENTS.map((name) => textOf(prompts, name))).toEqual(DOCUMENTS.map(() => document))
  })

  test('of the model come before those that mean the same', () => {
    const prompts = { query: 'q ', search_query: 'sq ', 'code.query': 'cq ', passage: 'p ', document: 'd ' }
    for (const [name, text] of Object.entries(prompts)) expect(textOf(prompts, name)).toBe(text)
    expect(textOf(prompts, 'retrieval.query')).toBe('q ')
    expect(textOf(prompts, 'search_document')).toBe('d ')
  })

  test.each(['classification', 'clustering', 'separation', 'text-matching', 'STS'])(
    'such as %s mean themselves',
    (name) => {
      expect(textOf({ ...EMPTY, query: 'q: ', [name]: 'c: ' }, name)).toBe('c: ')
      expect(textOf({ ...EMPTY, query: 'q: ' }, name)).toBeUndefined()
    },
  )

  test('are spelt exactly', () => {
    expect(textOf({ ...EMPTY, query: 'q: ' }, 'Query')).toBeUndefined()
    expect(textOf({ ...EMPTY, query: 'q: ' }, 'myquery')).toBeUndefined()
  })

  test('that must be there find the very prompt of that name, even an empty one, before any other', () => {
    const spec = modelWith({ ...EMPTY, search_query: 'sq: ' })
    const insisted = (name: string) => findPrompt(spec, { name, ifUnknown: 'refuse' }).prompt.text
    expect(insisted('query')).toBe('')
    expect(insisted('search_query')).toBe('sq: ')
    expect(insisted('retrieval.query')).toBe('sq: ')
  })
})

describe('a name that the model does not know', () => {
  const spec = modelWith({ query: 'search: ', shout: 'HEY ' }, { defaultPromptName: 'shout' })

  test.each(['qury', 'toString', '__proto__', 'document', ''])('"%s" is refused with those known', (name) => {
    expect(() => findPrompt(spec, { name, ifUnknown: 'refuse' })).toThrow(
      expect.objectContaining({
        code: 'invalid_request',
        message: `prompt "${name}" is unknown; fake-model has: query, shout`,
      }),
    )
  })

  test('is ignored where the client does not insist: the default prompt, and the name is told', () => {
    expect(findPrompt(spec, { name: 'classification', ifUnknown: 'ignore' })).toEqual({
      prompt: { text: 'HEY ', pooled: true },
      ignoredPrompt: 'classification',
      adapter: NO_ADAPTER,
    })
  })
})

describe('without a name', () => {
  test('the default prompt is used, or none', () => {
    const prompts = { query: 'search: ', shout: 'HEY ' }
    const found = (spec: ModelSpec) => findPrompt(spec, undefined)
    expect(found(modelWith(prompts, { defaultPromptName: 'shout' }))).toEqual({
      prompt: { text: 'HEY ', pooled: true },
      ignoredPrompt: undefined,
      adapter: NO_ADAPTER,
    })
    expect(found(modelWith(prompts)).prompt.text).toBe('')
  })

  test("the client's own words are used as they are, whatever the default", () => {
    const spec = modelWith({ query: 'q: ' }, { defaultPromptName: 'query' })
    expect(findPrompt(spec, { text: 'Find: ' }).prompt).toEqual({ text: 'Find: ', pooled: true })
    expect(findPrompt(spec, { text: '' }).prompt.text).toBe('')
  })
})

describe('a task for which the model has an adapter', () => {
  const tasks = { 'retrieval.query': 'rq ', 'retrieval.passage': 'rp ', separation: '', text_matching: 'tm ' }
  const adapters = Object.keys(tasks)
  const spec = modelWith({ ...EMPTY, ...tasks }, { adapters })
  const found = (choice: PromptChoice) => {
    const { prompt, adapter, ignoredPrompt } = findPrompt(spec, choice)
    return [prompt.text, adapter, ignoredPrompt]
  }

  test.each(['refuse', 'ignore'] as const)(
    'is found by any of its names, with its prompt (%s)',
    (ifUnknown) => {
      for (const name of QUERIES) expect(found({ name, ifUnknown })).toEqual(['rq ', 0, undefined])
      for (const name of DOCUMENTS) expect(found({ name, ifUnknown })).toEqual(['rp ', 1, undefined])
      expect(found({ name: 'separation', ifUnknown })).toEqual(['', 2, undefined])
      for (const name of ['text-matching', 'text_matching'])
        expect(found({ name, ifUnknown })).toEqual(['tm ', 3, undefined])
    },
  )

  test('is none where no name is said, or another one', () => {
    expect(findPrompt(spec, undefined).adapter).toBe(NO_ADAPTER)
    expect(found({ name: 'clustering', ifUnknown: 'ignore' })).toEqual(['', NO_ADAPTER, 'clustering'])
    expect(found({ text: 'separation' })).toEqual(['separation', NO_ADAPTER, undefined])
    expect(() => findPrompt(spec, { name: 'clustering', ifUnknown: 'refuse' })).toThrow(
      'fake-model has: query, document, retrieval.query, retrieval.passage, separation, text_matching',
    )
  })

  test('is the one that is said besides the prompt', () => {
    expect(found({ text: 'Own: ', task: 'passage' })).toEqual(['Own: ', 1, undefined])
    expect(found({ text: '', task: 'retrieval.query' })).toEqual(['', 0, undefined])
    expect(found({ name: 'query', ifUnknown: 'refuse', task: 'separation' })).toEqual(['rq ', 2, undefined])
  })

  test('is nothing to a model without adapters', () => {
    const other = modelWith({ ...EMPTY, ...tasks })
    expect(findPrompt(other, { name: 'separation', ifUnknown: 'refuse' }).adapter).toBe(NO_ADAPTER)
  })

  test("has the prompt of the model's own file under a name that says the same, where that has words", () => {
    const own = modelWith({ query: 'q ', document: '', ...tasks }, { adapters })
    expect(findPrompt(own, { name: 'query', ifUnknown: 'refuse' })).toMatchObject({
      prompt: { text: 'q ' },
      adapter: 0,
    })
  })
})

describe('a prompt that is too long', () => {
  const spec = modelWith({})

  test.each([
    ['prompt', (text: string) => ({ text })],
    ['prompt name', (name: string) => ({ name, ifUnknown: 'ignore' }) as const],
  ])('as a %s is refused with its length and the limit', (noun, choose) => {
    expect(() => findPrompt(spec, choose('x'.repeat(65_536)))).not.toThrow()
    expect(() => findPrompt(spec, choose('x'.repeat(65_537)))).toThrow(
      expect.objectContaining({
        code: 'invalid_request',
        message: `${noun} has 65537 characters; a ${noun} may have 65536`,
      }),
    )
  })

  test('to be shown is shown by its beginning', () => {
    expect(() => findPrompt(spec, { name: 'n'.repeat(101), ifUnknown: 'refuse' })).toThrow(
      `prompt "${'n'.repeat(100)}…" is unknown`,
    )
  })
})

test('whether a prompt is pooled is for the model to say, whoever wrote the prompt', () => {
  const steps = [{ ...POOLING, includePrompt: false }]
  const { spec } = fakeModel({ steps, spec: { prompts: { query: 'q: ' }, defaultPromptName: 'query' } })
  const choices = [undefined, { text: 'x ' }, { name: 'query', ifUnknown: 'refuse' }] as const
  expect(choices.map((choice) => findPrompt(spec, choice).prompt.pooled)).toEqual([false, false, false])
})
