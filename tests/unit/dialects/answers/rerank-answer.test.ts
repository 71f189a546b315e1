import { describe, expect, test } from 'vitest'
import { meta, rank, rerankAnswer } from '../../../../src/dialects/answers/rerank-answer.ts'
import { readRerankRequest } from '../../../../src/dialects/requests/rerank-request.ts'
import type { RerankResult } from '../../../../src/task.ts'

function result(scores: readonly number[], logits = scores): RerankResult {
  return {
    model: 'served',
    promptTokens: 7,
    truncatedItems: 0,
    timing: { tokenizeMs: 1, queueMs: 1, runMs: 1 },
    scores: Float32Array.from(scores),
    logits: Float32Array.from(logits),
  }
}

function request(fields: object = {}, documents: readonly unknown[] = ['a', 'b', 'c', 'd', 'e']) {
  return readRerankRequest({ body: { query: 'q', documents, ...fields }, fields: ['documents'] })
}

describe('a ranking', () => {
  test('is best first, equal scores in the order of the documents', () => {
    expect(rank(result([0.2, 0.7, 0.2, 0.9, 0.7]), request())).toEqual([
      { index: 3, score: 0.9 },
      { index: 1, score: 0.7 },
      { index: 4, score: 0.7 },
      { index: 0, score: 0.2 },
      { index: 2, score: 0.2 },
    ])
  })

  test('puts zeros by index, whatever their sign', () => {
    expect(rank(result([-0, 0, -3, -0, 0]), request()).map(({ index }) => index)).toEqual([0, 1, 3, 4, 2])
  })

  test('of a thousand equal scores is the order of the documents', () => {
    const documents = Array.from({ length: 1000 }, () => 'same')
    const ranked = rank(result(documents.map(() => 0.5)), request({}, documents))
    expect(ranked.map(({ index }) => index)).toEqual(documents.map((_, index) => index))
  })

  test('ends after the number that is wanted', () => {
    expect(rank(result([0.1, 0.2, 0.3, 0.4, 0.5]), request({ top_n: 2 }))).toEqual([
      { index: 4, score: 0.5 },
      { index: 3, score: 0.4 },
    ])
  })

  test('is of what the activation was given, where that is wanted', () => {
    const both = result([0.9, 0.1, 0.5, 0.5, 0.5], [-2, 4, 0, 0, 0])
    expect(rank(both, request({ raw_scores: true }))[0]).toEqual({ index: 1, score: 4 })
    expect(rank(both, request())[0]).toEqual({ index: 0, score: 0.9 })
  })

  test('has scores with the shortest text', () => {
    expect(JSON.stringify(rank(result([1 / 3]), request({}, ['a'])))).toBe('[{"index":0,"score":0.33333334}]')
  })
})

describe('a document in the answer', () => {
  const documents = ['a', { text: 'b', id: 1 }, { title: 't', body: 'c' }]
  const asked = (fields: object, shape: 'text' | 'object') =>
    rerankAnswer(result([0.9, 0.8, 0.7]), request(fields, documents), shape).results

  test('is there only where asked for', () => {
    for (const shape of ['text', 'object'] as const) {
      for (const { document, ...rest } of asked({}, shape)) {
        expect(document).toBeUndefined()
        expect(rest).not.toHaveProperty('document')
      }
    }
  })

  test('is its text, or an object with its text, as the route has it', () => {
    const fields = { return_documents: true }
    expect(asked(fields, 'text').map(({ document }) => document)).toEqual(['a', 'b', 'title: t\nbody: c'])
    expect(asked(fields, 'object').map(({ document }) => document)).toEqual([
      { text: 'a' },
      { text: 'b', id: 1 },
      { title: 't', body: 'c', text: 'title: t\nbody: c' },
    ])
  })
})

test('the model is called as the client spelt it, or as it is served', () => {
  expect(rerankAnswer(result([1]), request({ model: 'Mine' }, ['a']), 'text').model).toBe('Mine')
  expect(rerankAnswer(result([1]), request({}, ['a']), 'text').model).toBe('served')
})

test('counts are where OpenAI’s, Cohere’s and Xinference’s clients look for them', () => {
  const answer = rerankAnswer(result([1]), request({}, ['a']), 'text')
  expect(answer.usage).toEqual({ prompt_tokens: 7, completion_tokens: 0, total_tokens: 7 })
  expect(answer.meta).toEqual(meta(7))
  expect(meta(7)).toEqual({
    api_version: { version: '2' },
    billed_units: { search_units: 1, input_tokens: 7, total_tokens: 7 },
    tokens: { input_tokens: 7, output_tokens: 0 },
  })
})
