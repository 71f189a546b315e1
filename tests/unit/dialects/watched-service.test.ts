/** What a client is told of the work beside the answer. */
import { describe, expect, test } from 'vitest'
import { dispatch } from '../../../src/dialects/dispatch.ts'
import { WatchedService } from '../../../src/dialects/watched-service.ts'
import { ServerError } from '../../../src/errors.ts'
import { modelInfo } from '../../fakes/model-info.ts'
import type { FakeServiceOptions } from '../../fakes/service.ts'
import { FakeService } from '../../fakes/service.ts'

const SERVED = modelInfo({ id: 'served-model', provider: 'cuda' })

async function headersOf(route: string, body: object, options: FakeServiceOptions = {}) {
  const service = new FakeService({ models: [SERVED], promptTokens: 5, ...options })
  return (await dispatch({ route, body }, service)).headers
}

const EMBED = { input: ['ab', 'c😀'] }

test('the headers are those of Text Embeddings Inference, and the model', async () => {
  const headers = await headersOf('/v1/embeddings', EMBED)
  expect(headers).toEqual({
    'x-model': 'served-model',
    'x-compute-type': 'cuda',
    'x-compute-time': expect.stringMatching(/^\d+$/),
    'x-compute-characters': '5',
    'x-compute-tokens': '5',
    'x-total-time': expect.stringMatching(/^\d+$/),
    'x-tokenization-time': '1',
    'x-queue-time': '2',
    'x-inference-time': '3',
  })
  expect(headers['x-total-time']).toBe(headers['x-compute-time'])
})

test('characters of a query and of a pair’s second text count too', async () => {
  const rerank = await headersOf('/rerank', { query: 'abc', documents: ['d', 'ef'] })
  expect(rerank['x-compute-characters']).toBe('6')
  const pairs = await headersOf('/predict', { inputs: [['a', 'bcd']] })
  expect(pairs['x-compute-characters']).toBe('4')
})

test('tasks of one request are added up', async () => {
  const headers = await headersOf('/predict', { inputs: [['a'], ['b', 'c']] })
  expect(headers).toMatchObject({ 'x-compute-tokens': '10', 'x-queue-time': '4', 'x-inference-time': '6' })
})

describe('what the body does not show', () => {
  test('is how many texts were cut', async () => {
    expect(await headersOf('/v1/embeddings', EMBED)).not.toHaveProperty('x-truncated')
    const headers = await headersOf('/v1/embeddings', EMBED, { facts: { truncatedItems: 2 } })
    expect(headers['x-truncated']).toBe('2')
  })

  test('is a prompt that the model lacks, in ASCII', async () => {
    expect(await headersOf('/v1/embeddings', EMBED)).not.toHaveProperty('x-ignored-prompt')
    const facts = { ignoredPrompt: 'für\r\nalle\ud800' }
    expect((await headersOf('/v1/embeddings', EMBED, { facts }))['x-ignored-prompt']).toBe(
      'f%C3%BCr%0D%0Aalle%EF%BF%BD',
    )
  })
})

test('a model’s name is written in ASCII, and its provider is the processor where nobody knows', async () => {
  const headers = await headersOf('/v1/embeddings', EMBED, { model: 'modèle' })
  expect(headers).toMatchObject({ 'x-model': 'mod%C3%A8le', 'x-compute-type': 'cpu' })
})

describe('without work there are none', () => {
  test.each([
    ['/v1/models', undefined],
    ['/tokenize', { inputs: ['a'] }],
    ['/decode', { ids: [1] }],
  ])('%s', async (route, body) => {
    expect((await dispatch({ route, body }, new FakeService({ models: [SERVED] }))).headers).toEqual({})
  })

  test('a failure names no model', async () => {
    const service = new FakeService({ error: new ServerError('internal', 'no') })
    const response = await dispatch({ route: '/v1/embeddings', body: EMBED }, service)
    expect(response.headers).toEqual({ 'x-should-retry': 'false' })
    expect(response.model).toBeUndefined()
  })
})

test('every task and its options reach the service behind', async () => {
  const service = new FakeService()
  const watched = new WatchedService(service)
  const { signal } = new AbortController()
  const options = { signal }
  const model = undefined
  await watched.embed({ kind: 'embed', model, texts: ['a'] }, options)
  await watched.embedTokens({ kind: 'embed_tokens', model, texts: ['a'] }, options)
  await watched.rerank({ kind: 'rerank', model, query: 'q', documents: ['a'] }, options)
  await watched.classify({ kind: 'classify', model, texts: ['a'] }, options)
  expect(service.signals).toEqual([signal, signal, signal, signal])
  expect(service.tasks.map(({ kind }) => kind)).toEqual(['embed', 'embed_tokens', 'rerank', 'classify'])
})
