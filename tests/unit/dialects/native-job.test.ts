/** What stands in a job's input without `openai_route`. */
import { describe, expect, test } from 'vitest'
import { dispatch } from '../../../src/dialects/dispatch.ts'
import { FakeService, bodyOf, refusal } from '../../fakes/service.ts'

interface Ranking {
  readonly model: string
  readonly results: readonly {
    readonly index: number
    readonly relevance_score: number
    readonly document?: string
  }[]
  readonly scores?: readonly number[]
  readonly docs?: readonly string[]
}

function ask(body: unknown, service = new FakeService()) {
  return dispatch({ route: undefined, body }, service)
}

function answer(body: unknown, service?: FakeService) {
  return bodyOf(ask(body, service))
}

/** Scores documents by what they say: 'b 0.9'. */
function judge(promptTokens = 4): FakeService {
  return new FakeService({ score: (document) => Number(document.split(' ')[1] ?? 0.5), promptTokens })
}

async function rank(fields: object, service = judge()): Promise<Ranking> {
  return (await answer({ query: 'q', ...fields }, service)) as Ranking
}

describe('the documented answers, to the letter', () => {
  test('of an embedding', async () => {
    expect(JSON.stringify(await answer({ model: 'm', input: 'Hello world' }))).toBe(
      '{"object":"list","model":"m","data":[{"object":"embedding","embedding":[0.01,-0.02],"index":0}],' +
        '"usage":{"prompt_tokens":2,"total_tokens":2}}',
    )
  })

  const service = new FakeService({ score: (document) => (document === 'b' ? 0.9 : 0.1), promptTokens: 4 })

  test('of a ranking, with its scores in the order of the documents', async () => {
    expect(JSON.stringify(await answer({ model: 'm', query: 'q', docs: ['a', 'b'] }, service))).toBe(
      '{"object":"rerank","model":"m","results":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":0.1}],' +
        '"scores":[0.1,0.9],"usage":{"prompt_tokens":4,"total_tokens":4}}',
    )
  })

  test('of a ranking with its documents', async () => {
    const job = { model: 'm', query: 'q', docs: ['a', 'b'], return_docs: true }
    expect(JSON.stringify(await answer(job, service))).toBe(
      '{"object":"rerank","model":"m","results":[{"index":1,"relevance_score":0.9,"document":"b"},' +
        '{"index":0,"relevance_score":0.1,"document":"a"}],"docs":["b","a"],"usage":{"prompt_tokens":4,"total_tokens":4}}',
    )
  })
})

describe('the keys decide', () => {
  test.each([
    [{ input: 'a' }, { kind: 'embed', texts: ['a'] }],
    [{ input: ['a', 'b'] }, { kind: 'embed', texts: ['a', 'b'] }],
    [
      { query: 'q', docs: ['a'] },
      { kind: 'rerank', query: 'q', documents: ['a'] },
    ],
    [
      { query: 'q', documents: ['a'] },
      { kind: 'rerank', query: 'q', documents: ['a'] },
    ],
    [
      { query: '', docs: [''] },
      { kind: 'rerank', query: '', documents: [''] },
    ],
    [
      { query: null, docs: null, input: 'b' },
      { kind: 'embed', texts: ['b'] },
    ],
    [
      { query: 'q', docs: null, documents: ['a'] },
      { kind: 'rerank', documents: ['a'] },
    ],
    [
      { query: 'q', docs: ['a'], input: 'b' },
      { kind: 'rerank', documents: ['a'] },
    ],
    [
      { query: 'q', docs: ['a'], documents: ['b'] },
      { kind: 'rerank', documents: ['a'] },
    ],
    [
      { task: 'embed', query: 'q', docs: ['a'], input: 'b' },
      { kind: 'embed', texts: ['b'] },
    ],
    [
      { task: 'rerank', query: 'q', docs: ['a'], input: 'b' },
      { kind: 'rerank', documents: ['a'] },
    ],
    [
      { task: null, input: 'b', model: null },
      { kind: 'embed', texts: ['b'], model: undefined },
    ],
  ])('%j', async (body, task) => {
    const service = new FakeService()
    await answer(body, service)
    expect(service.tasks).toMatchObject([task])
  })

  test('a model is handed on and shown as the client spelt it', async () => {
    const service = judge()
    expect((await rank({ docs: ['a'], model: 'Mine' }, service)).model).toBe('Mine')
    expect((await rank({ docs: ['a'], model: '' }, service)).model).toBe('served-model')
    expect(service.tasks.map(({ model }) => model)).toEqual(['Mine', undefined])
  })

  test('the signal is handed on', async () => {
    const service = new FakeService()
    const { signal } = new AbortController()
    await dispatch({ route: undefined, body: { input: 'a' } }, service, { signal })
    await dispatch({ route: undefined, body: { query: 'q', docs: ['a'] } }, service, { signal })
    expect(service.signals).toEqual([signal, signal])
  })
})

describe('a ranking', () => {
  const docs = ['a 0.2', 'b 0.7', 'c 0.2', 'd 0.9', 'e 0.7']

  test('is best first, equal scores in the order of the documents', async () => {
    const { results, scores } = await rank({ docs })
    expect(results.map(({ index, relevance_score }) => [index, relevance_score])).toEqual([
      [3, 0.9],
      [1, 0.7],
      [4, 0.7],
      [0, 0.2],
      [2, 0.2],
    ])
    expect(scores).toEqual([0.2, 0.7, 0.2, 0.9, 0.7])
  })

  test('puts negative scores below zero, and zeros by index whatever their sign', async () => {
    const { results } = await rank({ docs: ['a -0', 'b 0', 'c -3', 'd -0'] })
    expect(results.map(({ index }) => index)).toEqual([0, 1, 3, 2])
  })

  test('gives documents or scores, never both', async () => {
    const without = await rank({ docs })
    expect(without).not.toHaveProperty('docs')
    expect(without.results[0]).not.toHaveProperty('document')
    const withDocs = await rank({ docs, return_docs: true })
    expect(withDocs).not.toHaveProperty('scores')
    expect(withDocs.docs).toEqual(['d 0.9', 'b 0.7', 'e 0.7', 'a 0.2', 'c 0.2'])
    expect(withDocs.results.map(({ document }) => document)).toEqual(withDocs.docs)
  })

  test.each([
    [{ return_docs: true }, true],
    [{ return_documents: true }, true],
    [{ return_docs: null, return_documents: true }, true],
    [{ return_docs: false, return_documents: true }, false],
    [{ return_docs: false }, false],
    [{}, false],
  ])('with %j: documents given is %s', async (fields, given) => {
    expect('docs' in (await rank({ docs, ...fields }))).toBe(given)
  })

  test.each([
    [2, [3, 1]],
    [5, [3, 1, 4, 0, 2]],
    [99, [3, 1, 4, 0, 2]],
    [0, [3, 1, 4, 0, 2]],
    [null, [3, 1, 4, 0, 2]],
  ])('of top_n %s has documents %j', async (top, indices) => {
    const { results, scores } = await rank({ docs, top_n: top })
    expect(results.map(({ index }) => index)).toEqual(indices)
    expect(scores).toHaveLength(5)
    expect((await rank({ docs, top_n: top, return_docs: true })).docs).toHaveLength(indices.length)
  })
})

describe('a wrong job is refused', () => {
  const NOTHING =
    'the job has neither "input" (to embed), nor "query" and "docs" (to rerank), nor "openai_route"'

  test.each([
    [{}, NOTHING],
    [{ text: 'a', model: 'm' }, NOTHING],
    [{ input: null }, NOTHING],
    [{ input: null, query: null, docs: null }, NOTHING],
    [{ task: 'embed', input: null }, 'input is missing; it must be a string or a list of strings'],
    [{ input: 5 }, 'input is 5; it must be a string or a list of strings'],
    [{ input: false }, 'input is false; it must be a string or a list of strings'],
    [{ input: [] }, 'input is an empty list; at least one text is needed'],
    [{ input: ['a', 'b', 7] }, 'input[2] is 7; every item must be a string'],
    [
      { task: 'embed', query: 'q', docs: ['a'] },
      'input is missing; it must be a string or a list of strings',
    ],
    [{ docs: ['a'] }, 'query is missing; it must be a string'],
    [{ documents: ['a'] }, 'query is missing; it must be a string'],
    [{ task: 'rerank', input: 'a' }, 'query is missing; it must be a string'],
    [{ query: ['q'], docs: ['a'] }, 'query is a list of 1; it must be a string'],
    [{ query: 5, docs: ['a'] }, 'query is 5; it must be a string'],
    [{ query: 'q' }, 'docs is missing; it must be a list of strings'],
    [{ query: 'q', docs: [] }, 'docs is an empty list; at least one text is needed'],
    [{ query: 'q', docs: 'a' }, 'docs is "a"; it must be a list of strings'],
    [{ query: 'q', docs: ['a', 5] }, 'docs[1] is 5; every item must be a string'],
    [{ query: 'q', documents: [] }, 'documents is an empty list; at least one text is needed'],
    [{ query: 'q', documents: [{ text: 'a' }] }, 'documents[0] is an object; every item must be a string'],
    [{ input: 'a', task: 'sum' }, 'task is "sum"; it must be one of embed, rerank'],
    [{ input: 'a', model: 5 }, 'model is 5; it must be a string'],
    [{ query: 'q', docs: ['a'], top_n: -1 }, 'top_n is -1; it must be at least 0'],
    [{ query: 'q', docs: ['a'], top_n: 0.5 }, 'top_n is 0.5; it must be a whole number'],
    [{ query: 'q', docs: ['a'], return_docs: 'yes' }, 'return_docs is "yes"; it must be true or false'],
  ])('%j: %s', async (body, message) => {
    const service = new FakeService()
    expect(await refusal(ask(body, service))).toEqual({ status: 400, code: 'invalid_request', message })
    expect(service.tasks).toEqual([])
  })
})
