/** Cohere's official client in both majors that are in use, with its v1 and its v2 methods. */
import * as newest from 'cohere-ai'
import * as seventh from 'cohere-ai-7'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Program } from '../start-program.ts'
import { fromBase64, largestDifference, ranked, signBits } from './compare.ts'
import { describeClient } from './describe-client.ts'
import { openTap } from './open-tap.ts'
import { DOCUMENTS, QUERY, TEXTS } from './samples.ts'
import { EMBEDDER, KEY, QUEUE_SIZE, RERANKER, fillQueue, plainScores, plainVectors, serve } from './serve.ts'

// v2's base is given by people who know it from other clients
const BASES = ['', '/', '/v2', '/openai', '/v2/an-endpoint/openai']

let server: Program
let plain: number[][]
let scores: number[]

beforeAll(async () => {
  server = await serve({ INFINITY_QUEUE_SIZE: String(QUEUE_SIZE) })
  plain = await plainVectors(server.found, TEXTS)
  scores = await plainScores(server.found, QUERY, DOCUMENTS)
})

afterAll(() => server.stop())

// the majors have the same methods here; the types of the newest stand for both
const MAJORS = { 'cohere-ai': newest, 'cohere-ai-7': seventh as unknown as typeof newest }

for (const [folder, { CohereClient, Cohere, CohereError }] of Object.entries(MAJORS)) {
  const open = (environment: string, token = KEY) => new CohereClient({ token, environment })

  describeClient(
    'cohere-ai',
    { folder, baseUrl: 'H, H/openai', works: 'v1 and v2: embed, rerank; errors' },
    () => {
      describe.each(BASES)('at "%s"', (base) => {
        const client = () => open(server.found + base)

        test('v2 embeds, by type', async () => {
          const { embeddings, id, meta } = await client().v2.embed({
            model: EMBEDDER,
            texts: TEXTS,
            inputType: 'search_document',
            embeddingTypes: ['float', 'int8', 'ubinary', 'base64'],
          })
          expect(id).toEqual(expect.any(String))
          expect(meta?.billedUnits?.inputTokens).toBeGreaterThan(10)
          const { float = [], int8 = [], ubinary = [] } = embeddings
          const { base64 = [] } = embeddings as { base64?: string[] }
          expect(largestDifference(float, plain)).toBeLessThanOrEqual(1e-6)
          expect(base64.map(fromBase64)).toEqual(plain.map((vector) => vector.map(Math.fround)))
          expect(ubinary).toEqual(plain.map(signBits))
          expect(int8.map((vector) => vector.map(Math.sign)).flat()).not.toContain(NaN)
        })

        test('v1 embeds, plainly and by type', async () => {
          const request = { model: EMBEDDER, texts: TEXTS, inputType: 'search_query' } as const
          const floats = await client().embed(request)
          expect(floats.responseType).toBe('embeddings_floats')
          expect(largestDifference(floats.embeddings as number[][], plain)).toBeLessThanOrEqual(1e-6)
          const typed = await client().embed({ ...request, embeddingTypes: ['float'] })
          expect(typed.responseType).toBe('embeddings_by_type')
          const { float = [] } = typed.embeddings as { float?: number[][] }
          expect(largestDifference(float, plain)).toBeLessThanOrEqual(1e-6)
        })

        test('v2 reranks', async () => {
          const request = { model: RERANKER, query: QUERY, documents: DOCUMENTS }
          const { results, meta } = await client().v2.rerank(request)
          expectRanking(results, scores)
          expect(meta?.billedUnits?.searchUnits).toBe(1)
          const best = await client().v2.rerank({ ...request, topN: 1, maxTokensPerDoc: 4096 })
          expect(best.results).toEqual(results.slice(0, 1))
        })

        test('v1 reranks, and hands documents back where asked', async () => {
          const request = { model: RERANKER, query: QUERY, documents: DOCUMENTS }
          const { results } = await client().rerank(request)
          expectRanking(results, scores)
          expect(results.every((result) => result.document === undefined)).toBe(true)
          const documents = DOCUMENTS.map((text) => ({ text }))
          const full = await client().rerank({ ...request, documents, returnDocuments: true })
          expectRanking(full.results, scores)
          for (const { index, document } of full.results) expect(document).toEqual({ text: DOCUMENTS[index] })
        })
      })

      test('a mistake is a BadRequestError with the message, and is not tried again', async () => {
        await using tap = await openTap(server.found)
        const asked = open(tap.url).v2.embed({
          model: EMBEDDER,
          texts: [],
          inputType: 'search_query',
          embeddingTypes: ['float'],
        })
        await expect(asked).rejects.toBeInstanceOf(Cohere.BadRequestError)
        await expect(asked).rejects.toThrow('texts is an empty list')
        expect(tap.requests.length).toBe(1)
      })

      test('a wrong key is an UnauthorizedError, an unknown model that cannot be guessed a NotFoundError', async () => {
        const request = { model: RERANKER, query: QUERY, documents: DOCUMENTS }
        const unauthorized = open(server.found, 'another-key').v2.rerank(request)
        await expect(unauthorized).rejects.toBeInstanceOf(Cohere.UnauthorizedError)
        await expect(unauthorized).rejects.toThrow('is not the API_KEY of this server')
        const unknown = open(server.found).models.get('no/such')
        await expect(unknown).rejects.toBeInstanceOf(Cohere.NotFoundError)
      })

      test('a full queue is a TooManyRequestsError, and has room when the client comes again', async () => {
        const request = {
          model: EMBEDDER,
          texts: Array<string>(QUEUE_SIZE).fill('hello world'),
          inputType: 'search_query',
          embeddingTypes: ['float'],
        } satisfies newest.Cohere.V2EmbedRequest
        const { emptied } = await fillQueue(server.found)
        const refused = open(server.found).v2.embed(request, { maxRetries: 0 })
        await expect(refused).rejects.toBeInstanceOf(Cohere.TooManyRequestsError)
        await expect(refused).rejects.toThrow(/the queue of \S+ holds \d+ items/)
        const { embeddings } = await open(server.found).v2.embed(request, { maxRetries: 10 })
        expect(embeddings.float?.length).toBe(QUEUE_SIZE)
        await emptied
      })

      test('through the gateway a mistake is an InternalServerError with the message', async () => {
        const request = { model: RERANKER, query: QUERY, documents: [] }
        const asked = open(`${server.found}/openai`).v2.rerank(request, { maxRetries: 0 })
        await expect(asked).rejects.toBeInstanceOf(CohereError)
        await expect(asked).rejects.toThrow('documents is an empty list')
      })
    },
  )
}

interface Result {
  readonly index: number
  readonly relevanceScore: number
}

function expectRanking(results: readonly Result[], expected: readonly number[]): void {
  expect(results.map(({ index }) => index)).toEqual(ranked(expected))
  for (const { index, relevanceScore } of results)
    expect(relevanceScore).toBeCloseTo(expected[index] ?? NaN, 6)
}
