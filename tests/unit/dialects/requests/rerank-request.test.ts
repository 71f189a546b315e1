/** Every spelling of a request to rerank. */
import { describe, expect, test } from 'vitest'
import { dispatch } from '../../../../src/dialects/dispatch.ts'
import { readRerankRequest } from '../../../../src/dialects/requests/rerank-request.ts'
import { FakeService } from '../../../fakes/service.ts'

const DOCUMENTS = ['a', 'b', 'c']

function read(fields: object, pathModel?: string) {
  const body = { query: 'q', documents: DOCUMENTS, ...fields }
  return readRerankRequest({ body, fields: ['documents'], pathModel })
}

describe('the documents', () => {
  test.each(['documents', 'docs', 'texts', 'passages', 'sentences', 'input'])(
    'may be called %s',
    async (field) => {
      const service = new FakeService()
      await dispatch({ route: '/v1/rerank', body: { query: 'q', [field]: ['a'] } }, service)
      expect(service.tasks).toMatchObject([{ query: 'q', documents: ['a'] }])
    },
  )

  test.each(['documents', 'docs', 'passages', 'sentences'])('on /rerank too: %s', async (field) => {
    const service = new FakeService()
    await dispatch({ route: '/rerank', body: { query: 'q', [field]: ['a'] } }, service)
    expect(service.tasks).toMatchObject([{ query: 'q', documents: ['a'] }])
  })
})

describe('the query', () => {
  test.each([
    [{ query: 'q' }, 'q'],
    [{ query: '' }, ''],
    [{ query: { text: 'q' } }, 'q'],
    [{ query: null, queries: ['q'] }, 'q'],
    [{ query: null, queries: ['q', 'q', 'q'] }, 'q'],
    [{ query: null, queries: [{ text: 'q' }, 'r', 's'] }, ['q', 'r', 's']],
    [{ query: 'q', queries: ['r', 's'] }, 'q'],
  ])('of %j is %j', (fields, query) => {
    expect(read(fields).task.query).toEqual(query)
  })

  test.each([
    [{ query: null }, 'query is missing; it must be a string'],
    [{ query: null, queries: null }, 'query is missing; it must be a string'],
    [{ query: 5 }, 'query is 5; it must be a string'],
    [{ query: null, queries: ['q', 5, 'r'] }, 'queries[1] is 5; it must be a string'],
    [{ query: null, queries: [] }, COUNTED(0)],
    [{ query: null, queries: ['q', 'r'] }, COUNTED(2)],
    [{ query: null, queries: ['q', 'q'] }, COUNTED(2)],
    [{ query: null, queries: ['q', 'r', 's', 't'] }, COUNTED(4)],
  ])('of %j is refused', (fields, message) => {
    expect(() => read(fields)).toThrow(expect.objectContaining({ code: 'invalid_request', message }))
  })
})

function COUNTED(count: number): string {
  return `queries is a list of ${count} for 3 documents; it must have one item, or one for each document`
}

describe('how many are wanted', () => {
  test.each([
    [{}, 3],
    [{ top_n: 2 }, 2],
    [{ top_k: 2 }, 2],
    [{ top_n: '2' }, 2],
    [{ top_n: 1, top_k: 2 }, 1],
    [{ top_n: 0, top_k: 2 }, 2],
    [{ top_n: 0 }, 3],
    [{ top_n: null }, 3],
    [{ top_n: 99 }, 3],
  ])('of %j: %s', (fields, topN) => {
    expect(read(fields).topN).toBe(topN)
  })
})

describe('whether documents come back', () => {
  test.each([
    [{}, false],
    [{ return_documents: true }, true],
    [{ return_docs: true }, true],
    [{ return_text: true }, true],
    [{ return_input: true }, true],
    [{ return_documents: 'true' }, true],
    [{ return_documents: false, return_docs: true }, false],
    [{ return_documents: null, return_text: true }, true],
  ])('by %j: %s', (fields, withDocuments) => {
    expect(read(fields).withDocuments).toBe(withDocuments)
  })
})

describe('scores before the activation', () => {
  test.each([
    [{}, false],
    [{ raw_scores: true }, true],
    [{ raw_scores: false, normalize: false }, false],
    [{ normalize: false }, true],
    [{ normalize: true }, false],
    [{ raw_scores: null, normalize: 'false' }, true],
  ])('are given by %j: %s', (fields, rawScores) => {
    expect(read(fields).rawScores).toBe(rawScores)
  })
})

describe('the other settings', () => {
  test.each([
    [{}, { prompt: undefined, truncate: undefined, maxDocumentTokens: undefined, maxQueryTokens: undefined }],
    [{ instruction: 'Judge:' }, { instruction: 'Judge:' }],
    [{ instruction: 'Judge:\n' }, { instruction: 'Judge:\n' }],
    [{ task_instruction: 'Judge: ' }, { instruction: 'Judge: ' }],
    [{ instruction: 'a ', task_instruction: 'b ' }, { instruction: 'a ' }],
    [
      { instruction: 'a', prompt_name: 'query' },
      { instruction: 'a', prompt: undefined },
    ],
    [
      { instruction: '', prompt_name: 'query' },
      { instruction: undefined, prompt: { name: 'query', ifUnknown: 'refuse' } },
    ],
    [{ max_tokens_per_doc: 9 }, { maxDocumentTokens: 9 }],
    [{ max_tokens_per_query: '9' }, { maxQueryTokens: 9 }],
    [{ max_tokens_per_doc: 0, max_tokens_per_query: null }, { maxDocumentTokens: undefined }],
    [
      { truncate_prompt_tokens: 9, truncation_side: 'left' },
      { maxTokens: 9, truncate: 'left' },
    ],
    [{ truncation: false }, { truncate: 'none' }],
    [{ model: 'M' }, { model: 'M' }],
    [{ model_id: 'M' }, { model: 'M' }],
  ])('%j mean %j', (fields, task) => {
    expect(read(fields).task).toEqual(expect.objectContaining(task))
  })

  test('the model of the path says more than that of the body', () => {
    expect(read({ model: 'M' }, 'P')).toMatchObject({ name: 'P', task: { model: 'P' } })
  })
})
