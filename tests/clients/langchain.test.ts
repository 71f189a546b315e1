/** LangChain's own retries, batches and error reading, on top of the official clients or of none. */
import { CohereEmbeddings, CohereRerank } from '@langchain/cohere'
import { HuggingFaceInferenceEmbeddings } from '@langchain/community/embeddings/hf'
import { JinaEmbeddings } from '@langchain/community/embeddings/jina'
import { VoyageEmbeddings } from '@langchain/community/embeddings/voyage'
import { Document } from '@langchain/core/documents'
import type { EmbeddingsInterface } from '@langchain/core/embeddings'
import { OpenAIEmbeddings } from '@langchain/openai'
import { CohereClient } from 'cohere-ai-7'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Program } from '../start-program.ts'
import { largestDifference, ranked } from './compare.ts'
import { describeClient } from './describe-client.ts'
import { openTap } from './open-tap.ts'
import { DOCUMENTS, QUERY, TEXTS } from './samples.ts'
import {
  DIMENSIONS,
  EMBEDDER,
  KEY,
  QUEUE_SIZE,
  RERANKER,
  fillQueue,
  plainScores,
  plainVectors,
  serve,
} from './serve.ts'

const GATEWAY = '/v2/an-endpoint/openai'

let server: Program
let plain: number[][]

beforeAll(async () => {
  server = await serve()
  plain = await plainVectors(server.found, TEXTS)
})

afterAll(() => server.stop())

async function expectSameVectors(embeddings: EmbeddingsInterface): Promise<void> {
  expect(largestDifference(await embeddings.embedDocuments([...TEXTS]), plain)).toBeLessThanOrEqual(1e-6)
  const query = await embeddings.embedQuery(TEXTS[1] ?? '')
  expect(largestDifference([query], plain.slice(1, 2))).toBeLessThanOrEqual(1e-6)
}

describeClient('@langchain/openai', { baseUrl: 'H/v1, H/openai/v1', works: 'OpenAIEmbeddings' }, () => {
  const open = (baseURL: string, more: object = {}) =>
    new OpenAIEmbeddings({ model: EMBEDDER, apiKey: KEY, configuration: { baseURL }, ...more })

  test.each(['/v1', `${GATEWAY}/v1`])('at %s documents and queries have their vectors', (path) =>
    expectSameVectors(open(server.found + path)),
  )

  test('513 documents are two requests, and in order', async () => {
    await using tap = await openTap(server.found)
    const texts = Array.from({ length: 513 }, (_, index) => `text ${index}`)
    const vectors = await open(`${tap.url}/v1`).embedDocuments(texts)
    expect(tap.requests.length).toBe(2)
    expect(largestDifference(vectors, await plainVectors(server.found, texts))).toBeLessThanOrEqual(1e-6)
  })

  test('a mistake is told, and is not tried again', async () => {
    await using tap = await openTap(server.found)
    const asked = open(`${tap.url}/v1`, { dimensions: 1024 }).embedQuery('a')
    await expect(asked).rejects.toThrow(String(DIMENSIONS))
    await expect(open(`${tap.url}/v1`, { apiKey: 'another-key' }).embedQuery('a')).rejects.toThrow('API_KEY')
    expect(tap.requests.length).toBe(2)
  })

  test('a full queue has room when it comes again, because it is told when', async () => {
    const small = await serve({ INFINITY_QUEUE_SIZE: String(QUEUE_SIZE) })
    await using tap = await openTap(small.found)
    const texts = Array<string>(QUEUE_SIZE).fill('hello world')
    const { emptied } = await fillQueue(small.found)
    const vectors = await open(`${tap.url}/v1`).embedDocuments(texts)
    await emptied
    await small.stop()
    expect(vectors.length).toBe(QUEUE_SIZE)
    expect(tap.requests.length).toBeGreaterThan(1)
  })

  test('without Retry-After it would not come again', async () => {
    const body = { error: { message: 'the queue is full' } }
    await using tap = await openTap(server.found, () => ({ status: 429, body }))
    await expect(open(`${tap.url}/v1`).embedQuery('a')).rejects.toThrow('the queue is full')
    expect(tap.requests.length).toBe(1)
  })
})

describeClient(
  '@langchain/cohere',
  { baseUrl: 'H, H/openai', works: 'CohereEmbeddings, CohereRerank' },
  () => {
    const client = (base: string) => new CohereClient({ token: KEY, environment: server.found + base })

    test.each(['', GATEWAY])('at "%s" documents and queries have their vectors', (base) =>
      expectSameVectors(new CohereEmbeddings({ model: EMBEDDER, client: client(base) })),
    )

    test.each(['', GATEWAY])('at "%s" documents are ranked', async (base) => {
      const scores = await plainScores(server.found, QUERY, DOCUMENTS)
      const reranker = new CohereRerank({ model: RERANKER, client: client(base), topN: 2 })
      const results = await reranker.rerank([...DOCUMENTS], QUERY)
      expect(results.map(({ index }) => index)).toEqual(ranked(scores).slice(0, 2))
      const documents = DOCUMENTS.map((pageContent) => new Document({ pageContent }))
      const kept = await reranker.compressDocuments(documents, QUERY)
      expect(kept.map(({ pageContent }) => pageContent)).toEqual(results.map(({ index }) => DOCUMENTS[index]))
      expect(kept[0]?.metadata['relevanceScore']).toBeCloseTo(scores[results[0]?.index ?? -1] ?? NaN, 6)
    })

    test('a mistake is told', async () => {
      const reranker = new CohereRerank({ model: RERANKER, client: client('') })
      await expect(reranker.rerank([], QUERY)).rejects.toThrow('documents is an empty list')
    })
  },
)

const COMMUNITY = '@langchain/community'
describeClient(COMMUNITY, { baseUrl: 'H/v1/embeddings', works: 'JinaEmbeddings' }, () => {
  const open = (dimensions: number, apiKey = KEY) => {
    const embeddings = new JinaEmbeddings({ model: EMBEDDER, apiKey, dimensions })
    embeddings.baseUrl = `${server.found}/v1/embeddings`
    return embeddings
  }

  test('documents and queries have their vectors', () => expectSameVectors(open(DIMENSIONS)))

  test('the dimensions that it always asks for are too many for a small model, which says how many it has', () =>
    expect(open(1024).embedQuery('a')).rejects.toThrow(String(DIMENSIONS)))

  test('a wrong key is told, though it reads no status', () =>
    expect(open(DIMENSIONS, 'another-key').embedQuery('a')).rejects.toThrow(
      'is not the API_KEY of this server',
    ))
})

describeClient(COMMUNITY, { baseUrl: 'H/v1, H/openai/v1', works: 'VoyageEmbeddings' }, () => {
  const open = (path: string, apiKey = KEY) =>
    new VoyageEmbeddings({
      modelName: EMBEDDER,
      apiKey,
      basePath: server.found + path,
      inputType: 'document',
    })

  test.each(['/v1', `${GATEWAY}/v1`])('at %s documents and queries have their vectors', (path) =>
    expectSameVectors(open(path)),
  )

  test('a wrong key is told', () =>
    expect(open('/v1', 'another-key').embedQuery('a')).rejects.toThrow('is not the API_KEY of this server'))
})

describeClient(COMMUNITY, { baseUrl: 'H/embed, H/', works: 'HuggingFaceInferenceEmbeddings' }, () => {
  const open = (path: string, apiKey = KEY) =>
    new HuggingFaceInferenceEmbeddings({
      apiKey,
      model: EMBEDDER,
      endpointUrl: server.found + path,
      maxRetries: 0,
    })

  test.each(['/embed', '/'])('at %s documents and queries have their vectors', (path) =>
    expectSameVectors(open(path)),
  )

  test('a wrong key is told', () =>
    expect(open('/embed', 'another-key').embedQuery('a')).rejects.toThrow(
      'is not the API_KEY of this server',
    ))
})
