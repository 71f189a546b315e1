/** What stands in a job's input without `openai_route`. */
import { describe, expect, test } from 'vitest'
import { dispatch } from '../../../src/dialects/dispatch.ts'
import { FakeService, bodyOf, refusal } from '../../fakes/service.ts'
import { CASES } from './cases/native.ts'
import { testDialect } from './dialect.case.ts'

CASES.forEach(testDialect)

function ask(body: unknown, service = new FakeService()) {
  return dispatch({ route: undefined, body }, service)
}

describe('the keys decide', () => {
  test.each([
    [{ input: 'a' }, 'embed', ['a']],
    [{ text: 'a' }, 'embed', ['a']],
    [{ sentences: ['a'] }, 'embed', ['a']],
    [{ query: 'q', passages: ['a'] }, 'rerank', ['a']],
    [{ input: ['a', 'b'] }, 'embed', ['a', 'b']],
    [{ input: [{ text: 'a' }] }, 'embed', ['a']],
    [{ query: 'q', docs: ['a'] }, 'rerank', ['a']],
    [{ query: 'q', documents: ['a'] }, 'rerank', ['a']],
    [{ queries: ['q'], documents: ['a'] }, 'rerank', ['a']],
    [{ queries: ['q'], passages: ['a'] }, 'rerank', ['a']],
    [{ query: '', docs: [''] }, 'rerank', ['']],
    [{ query: null, docs: null, input: 'b' }, 'embed', ['b']],
    [{ query: 'q', docs: null, documents: ['a'] }, 'rerank', ['a']],
    [{ query: 'q', docs: ['a'], input: 'b' }, 'rerank', ['a']],
    [{ query: 'q', docs: ['a'], documents: ['b'] }, 'rerank', ['a']],
    [{ docs: ['a'], input: 'b' }, 'embed', ['b']],
    [{ task: 'embed', query: 'q', docs: ['a'], input: 'b' }, 'embed', ['b']],
    [{ task: 'rerank', query: 'q', docs: ['a'], input: 'b' }, 'rerank', ['a']],
    [{ task: 'classify', input: 'b' }, 'classify', ['b']],
    [{ task: 'multi_vector', query: 'q', docs: ['a'], input: 'b' }, 'embed_multi', ['b']],
    [{ task: null, input: 'b' }, 'embed', ['b']],
    // other tasks are what the texts are for
    [{ task: 'retrieval.query', input: 'b' }, 'embed', ['b']],
    [{ task: 'constructor', input: 'b' }, 'embed', ['b']],
  ])('%j', async (body, kind, texts) => {
    const service = new FakeService()
    await bodyOf(ask(body, service))
    expect(service.tasks).toMatchObject([kind === 'rerank' ? { kind, documents: texts } : { kind, texts }])
  })

  test.each([
    ['image_embed', 'image'],
    ['embed_image', 'image'],
    ['audio_embed', 'audio'],
    ['embed_audio', 'audio'],
  ])('%s is what its strings are', async (task, modality) => {
    const service = new FakeService()
    await bodyOf(ask({ task, input: ['https://a.example/b', 'AAAA'] }, service))
    expect(service.tasks).toMatchObject([
      {
        kind: 'embed_media',
        prompt: undefined,
        items: [
          { modality, source: { url: 'https://a.example/b' } },
          { modality, source: { bytes: Uint8Array.of(0, 0, 0) } },
        ],
      },
    ])
  })

  test('a task that says what to do is no prompt', async () => {
    const service = new FakeService()
    await ask({ task: 'embed', input: 'a' }, service)
    await ask({ task: 'text-matching', input: 'a' }, service)
    expect(service.tasks.map((task) => 'prompt' in task && task.prompt)).toEqual([
      undefined,
      { name: 'text-matching', ifUnknown: 'ignore' },
    ])
  })
})

describe('a ranking', () => {
  const docs = ['a 0.2', 'b 0.7', 'c 0.2', 'd 0.9']
  const judge = () =>
    new FakeService({ score: (document) => Number(document.slice(2)), logit: (score) => score * 10 })
  const rank = async (fields: object) =>
    (await bodyOf(ask({ query: 'q', docs, ...fields }, judge()))) as Record<string, unknown>

  test('has scores in the order of the documents, all of them, whatever top_n', async () => {
    expect((await rank({}))['scores']).toEqual([0.2, 0.7, 0.2, 0.9])
    expect((await rank({ top_n: 1 }))['scores']).toEqual([0.2, 0.7, 0.2, 0.9])
    expect((await rank({ raw_scores: true }))['scores']).toEqual([2, 7, 2, 9])
  })

  test('has scores or documents, never both', async () => {
    expect(await rank({})).not.toHaveProperty('docs')
    const withDocs = await rank({ return_docs: true })
    expect(withDocs).not.toHaveProperty('scores')
    expect(withDocs['docs']).toEqual(['d 0.9', 'b 0.7', 'a 0.2', 'c 0.2'])
  })

  test('has documents as texts, best first, as many as are wanted', async () => {
    const { docs: best, results } = await rank({ return_documents: true, top_n: 2 })
    expect(best).toEqual(['d 0.9', 'b 0.7'])
    expect(results).toMatchObject([{ document: 'd 0.9' }, { document: 'b 0.7' }])
  })
})

describe('a wrong job is refused', () => {
  const NOTHING =
    'the job has neither "input" (to embed), nor "query" and "docs" (to rerank), nor "openai_route"'
  const TEXTS = 'it must be a string, a list of strings, or token ids'

  test.each([
    [{}, NOTHING],
    [{ input: null, query: null, docs: null }, NOTHING],
    [{ task: 'embed', input: null }, `input is missing; ${TEXTS}`],
    [{ input: 5 }, `input is 5; ${TEXTS}`],
    [{ input: false }, `input is false; ${TEXTS}`],
    [{ input: [] }, 'input is an empty list; at least one item is needed'],
    [{ docs: ['a'] }, 'query is missing; it must be a string'],
    [{ documents: ['a'] }, 'query is missing; it must be a string'],
    [{ query: 'q' }, 'docs is missing; it must be a list of strings'],
    [{ query: 'q', docs: [] }, 'docs is an empty list; at least one item is needed'],
    [{ query: 'q', docs: 'a' }, 'docs is "a"; it must be a list of strings'],
    [{ query: 'q', documents: [] }, 'documents is an empty list; at least one item is needed'],
    [{ task: 5, input: 'a' }, 'task is 5; it must be a string'],
    [{ task: 'rerank', input: 'a' }, 'input is "a"; it must be a list of strings'],
    [{ task: 'rerank' }, 'docs is missing; it must be a list of strings'],
    [{ task: 'classify', docs: ['a'] }, 'input is missing; it must be a list of strings'],
    [null, 'input is null; it must be an object'],
    [[], 'input is a list of 0; it must be an object'],
  ])('%j: %s', async (body, message) => {
    const service = new FakeService()
    expect(await refusal(ask(body, service))).toEqual({ status: 400, code: 'invalid_request', message })
    expect(service.tasks).toEqual([])
  })
})
