/** OpenAI's official client, every major since base64 is what it asks for; the first that did not is at the end. */
import { getEncoding } from 'js-tiktoken'
import { Configuration, OpenAIApi } from 'openai-3'
import type * as newest from 'openai-7'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Program } from '../start-program.ts'
import { fromBase64, largestDifference, ranked } from './compare.ts'
import { describeClient } from './describe-client.ts'
import { openTap } from './open-tap.ts'
import { EMBEDDER, KEY, QUEUE_SIZE, RERANKER, fillQueue, plainScores, plainVectors, serve } from './serve.ts'

// the majors have the same methods here; the types of the newest stand for all
type Module = typeof newest
const MAJORS = ['openai-4', 'openai-5', 'openai-6', 'openai-7']
const BASES = ['/v1', '', '/openai/v1', '/v2/an-endpoint/openai/v1']
const CL100K = getEncoding('cl100k_base')
const TEXTS = ['This is a test document.', 'hello world', '', '👩‍🚀 日本語 naïve']

let server: Program
let plain: number[][]

beforeAll(async () => {
  server = await serve({ INFINITY_QUEUE_SIZE: String(QUEUE_SIZE) })
  plain = await plainVectors(server.found, TEXTS)
})

afterAll(() => server.stop())

for (const folder of MAJORS) {
  const baseUrl = 'H/v1, H/openai/v1'
  const works = 'embeddings (base64 unless told), token ids, models, post("/rerank"), errors'
  describeClient('openai', { folder, baseUrl, works }, () => {
    describe.each(BASES)('at "%s"', (base) => {
      const client = () => openClient(folder, server.found + base)

      test('without encoding_format vectors are those of floats', async () => {
        const { data, usage } = await (await client()).embeddings.create({ model: EMBEDDER, input: TEXTS })
        expect(data.map(({ index }) => index)).toEqual([0, 1, 2, 3])
        expect(largestDifference(vectorsOf(data), plain)).toBeLessThanOrEqual(1e-6)
        expect(usage.prompt_tokens).toBeGreaterThan(10)
        expect(usage.total_tokens).toBe(usage.prompt_tokens)
      })

      test('base64 that the caller asks for has the bytes of the floats', async () => {
        const request = { model: EMBEDDER, input: TEXTS, encoding_format: 'base64' } as const
        const { data } = await (await client()).embeddings.create(request)
        const decoded = data.map(({ embedding }) => fromBase64(embedding))
        expect(decoded).toEqual(plain.map((vector) => vector.map(Math.fround)))
      })

      test('a string, token ids and lists of them have the vectors of their texts', async () => {
        const { embeddings } = await client()
        const ids = TEXTS.map((text) => CL100K.encode(text)).filter((list) => list.length > 0)
        const one = await embeddings.create({ model: EMBEDDER, input: TEXTS[3] ?? '' })
        expect(largestDifference(vectorsOf(one.data), plain.slice(3))).toBeLessThanOrEqual(1e-6)
        const some = await embeddings.create({ model: EMBEDDER, input: ids })
        const expected = plain.filter((_, index) => TEXTS[index] !== '')
        expect(largestDifference(vectorsOf(some.data), expected)).toBeLessThanOrEqual(1e-6)
        const flat = await embeddings.create({ model: EMBEDDER, input: ids[1] ?? [] })
        expect(largestDifference(vectorsOf(flat.data), plain.slice(1, 2))).toBeLessThanOrEqual(1e-6)
      })

      test('fields that the server does not know, and nulls, change nothing', async () => {
        const more = { foo: 1, modality: 'text', dimensions: null, user: 'u' }
        const typed = { model: EMBEDDER, input: TEXTS }
        const request = { ...typed, ...more } as unknown as typeof typed
        const { data } = await (await client()).embeddings.create(request)
        expect(largestDifference(vectorsOf(data), plain)).toBeLessThanOrEqual(1e-6)
      })

      test('models can be listed, and one with a slash in its name looked up', async () => {
        const { models } = await client()
        const ids: string[] = []
        for await (const model of models.list()) ids.push(model.id)
        expect(ids).toContain(EMBEDDER)
        expect(await models.retrieve(EMBEDDER)).toMatchObject({ id: EMBEDDER, object: 'model' })
      })
    })

    test('post() reranks', async () => {
      const client = await openClient(folder, `${server.found}/v1`)
      const documents = ['a bear', 'hi', 'a panda is a bear']
      const scores = await plainScores(server.found, 'panda', documents)
      const body = { model: RERANKER, query: 'panda', documents }
      const answer = (await client.post('/rerank', { body })) as { results: Ranked[] }
      expect(answer.results.map(({ index }) => index)).toEqual(ranked(scores))
      for (const { index, relevance_score: score } of answer.results)
        expect(score).toBeCloseTo(scores[index] ?? NaN, 6)
    })

    test('a mistake is a BadRequestError that says what is wrong', async () => {
      await using tap = await openTap(server.found)
      const { client, BadRequestError } = await openRetrying(folder, tap.url)
      const empty = client.embeddings.create({ model: EMBEDDER, input: [] })
      await expect(empty).rejects.toThrow('input is an empty list')
      const wrongId = client.embeddings.create({ model: EMBEDDER, input: [100_277] })
      await expect(wrongId).rejects.toThrow(/100277/)
      for (const asked of [empty, wrongId]) await expect(asked).rejects.toBeInstanceOf(BadRequestError)
      await expect(empty).rejects.toMatchObject({ status: 400, type: 'invalid_request_error' })
      expect(tap.requests.length).toBe(2)
    })

    test('a wrong key is an AuthenticationError, and is not tried again', async () => {
      await using tap = await openTap(server.found)
      const { client, AuthenticationError } = await openRetrying(folder, tap.url, 'another-key')
      const asked = client.embeddings.create({ model: EMBEDDER, input: 'a' })
      await expect(asked).rejects.toBeInstanceOf(AuthenticationError)
      await expect(asked).rejects.toThrow('is not the API_KEY of this server')
      expect(tap.requests.length).toBe(1)
    })

    test('an unknown model is a NotFoundError that names those served', async () => {
      await using tap = await openTap(server.found)
      const { client, NotFoundError } = await openRetrying(folder, tap.url)
      const asked = client.models.retrieve('no/such')
      await expect(asked).rejects.toBeInstanceOf(NotFoundError)
      await expect(asked).rejects.toThrow('no/such')
      expect(tap.requests.length).toBe(1)
    })

    test('more items than the queue ever holds is a 413 that says so, and is not tried again', async () => {
      await using tap = await openTap(server.found)
      const { client, APIError } = await openRetrying(folder, tap.url)
      const asked = client.embeddings.create({ model: EMBEDDER, input: Array(QUEUE_SIZE + 1).fill('a') })
      await expect(asked).rejects.toBeInstanceOf(APIError)
      await expect(asked).rejects.toMatchObject({ status: 413 })
      await expect(asked).rejects.toThrow('the request has 65 texts')
      expect(tap.requests.length).toBe(1)
    })

    test('a full queue is a RateLimitError, and has room when the client comes again', async () => {
      await using tap = await openTap(server.found)
      const { client, RateLimitError } = await openRetrying(folder, tap.url)
      const input = Array<string>(QUEUE_SIZE).fill('hello world')
      const { emptied } = await fillQueue(server.found)
      const once = client.embeddings.create({ model: EMBEDDER, input }, { maxRetries: 0 })
      await expect(once).rejects.toBeInstanceOf(RateLimitError)
      await expect(once).rejects.toThrow(/the queue of \S+ holds \d+ items/)
      const { data } = await client.embeddings.create({ model: EMBEDDER, input }, { maxRetries: 10 })
      expect(data.length).toBe(QUEUE_SIZE)
      expect(tap.requests.length).toBeGreaterThan(2)
      await emptied
    })

    test('through the gateway a mistake is an InternalServerError that says what is wrong', async () => {
      const { client, InternalServerError } = await openRetrying(folder, `${server.found}/openai`)
      const asked = client.embeddings.create({ model: EMBEDDER, input: [] }, { maxRetries: 0 })
      await expect(asked).rejects.toBeInstanceOf(InternalServerError)
      await expect(asked).rejects.toThrow('input is an empty list')
    })
  })
}

describe('retries, the same for every major', () => {
  test.each(MAJORS)('%s asks three times where it is told to wait', async (folder) => {
    const headers = { 'retry-after': '1', 'retry-after-ms': '1' }
    await using tap = await openTap(server.found, () => ({ status: 429, headers, body: { error: {} } }))
    const { client } = await openRetrying(folder, tap.url)
    await expect(client.embeddings.create({ model: EMBEDDER, input: 'a' })).rejects.toThrow('429')
    expect(tap.requests.length).toBe(3)
  })
})

describeClient('openai', { folder: 'openai-3', baseUrl: 'H/v1', works: 'embeddings' }, () => {
  const client = (apiKey: string) =>
    new OpenAIApi(new Configuration({ apiKey, basePath: `${server.found}/v1` }))

  test('embeddings are floats, which it has to be given', async () => {
    const { data } = await client(KEY).createEmbedding({ model: EMBEDDER, input: TEXTS })
    expect(largestDifference(vectorsOf(data.data), plain)).toBeLessThanOrEqual(1e-6)
  })

  test('an error holds the message', async () => {
    const asked = client('another-key').createEmbedding({ model: EMBEDDER, input: 'a' })
    await expect(asked).rejects.toMatchObject({
      response: { status: 401, data: { error: { message: expect.stringContaining('API_KEY') } } },
    })
  })
})

interface Embedding {
  readonly embedding: number[]
}

interface Ranked {
  readonly index: number
  readonly relevance_score: number
}

function vectorsOf(data: readonly Embedding[]): number[][] {
  return data.map(({ embedding }) => embedding)
}

async function openClient(folder: string, baseURL: string) {
  const { OpenAI } = (await import(folder)) as Module
  return new OpenAI({ baseURL, apiKey: KEY, maxRetries: 0 })
}

async function openRetrying(folder: string, url: string, apiKey = KEY) {
  const module = (await import(folder)) as Module
  return { ...module, client: new module.OpenAI({ baseURL: `${url}/v1`, apiKey }) }
}
