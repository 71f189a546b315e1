/** Voyage's official client. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { VoyageAIClient, VoyageAIError } from 'voyageai'
import type { Program } from '../start-program.ts'
import { fromBase64, largestDifference, ranked } from './compare.ts'
import { describeClient } from './describe-client.ts'
import { DOCUMENTS, QUERY, TEXTS } from './samples.ts'
import { DIMENSIONS, EMBEDDER, KEY, RERANKER, plainScores, plainVectors, serve } from './serve.ts'

let server: Program
let plain: number[][]
let scores: number[]

beforeAll(async () => {
  server = await serve()
  plain = await plainVectors(server.found, TEXTS)
  scores = await plainScores(server.found, QUERY, DOCUMENTS)
})

afterAll(() => server.stop())

function open(base: string, apiKey = KEY): VoyageAIClient {
  return new VoyageAIClient({ apiKey, environment: server.found + base, maxRetries: 0 })
}

describeClient('voyageai', { baseUrl: 'H/v1, H/openai/v1', works: 'embed, rerank' }, () => {
  describe.each(['/v1', '/openai/v1', '/v2/an-endpoint/openai/v1'])('at "%s"', (base) => {
    test('vectors are in order and have a usage', async () => {
      const { data = [], usage } = await open(base).embed({
        model: EMBEDDER,
        input: TEXTS,
        inputType: 'query',
      })
      expect(
        largestDifference(
          data.map(({ embedding = [] }) => embedding),
          plain,
        ),
      ).toBeLessThanOrEqual(1e-6)
      expect(data.map(({ index }) => index)).toEqual([0, 1, 2, 3])
      expect(usage?.totalTokens).toBeGreaterThan(10)
    })

    test('base64 has the bytes of the floats', async () => {
      const { data = [] } = await open(base).embed({
        model: EMBEDDER,
        input: TEXTS,
        encodingFormat: 'base64',
      })
      const decoded = data.map(({ embedding }) => fromBase64(String(embedding)))
      expect(decoded).toEqual(plain.map((vector) => vector.map(Math.fround)))
    })

    test('outputDtype makes integers, outputDimension cuts', async () => {
      const ask = async (outputDtype: 'int8' | 'uint8' | 'binary' | 'ubinary') => {
        const { data = [] } = await open(base).embed({ model: EMBEDDER, input: 'a', outputDtype })
        return data[0]?.embedding ?? []
      }
      expect((await ask('int8')).length).toBe(DIMENSIONS)
      expect((await ask('uint8')).length).toBe(DIMENSIONS)
      const ubinary = await ask('ubinary')
      expect(ubinary.length).toBe(DIMENSIONS / 8)
      expect(await ask('binary')).toEqual(ubinary.map((byte) => byte - 128))
      const cut = await open(base).embed({ model: EMBEDDER, input: 'a', outputDimension: 64 })
      expect(cut.data?.[0]?.embedding?.length).toBe(64)
    })

    test('a ranking has the scores of the job, and the documents as strings where asked', async () => {
      const request = { model: RERANKER, query: QUERY, documents: DOCUMENTS }
      const { data = [] } = await open(base).rerank(request)
      expect(data.map(({ index }) => index)).toEqual(ranked(scores))
      expect(data.every((item) => !('document' in item) || item.document === undefined)).toBe(true)
      const best = await open(base).rerank({ ...request, topK: 1, returnDocuments: true })
      expect(best.data).toEqual([{ ...data[0], document: DOCUMENTS[data[0]?.index ?? -1] }])
    })
  })

  test('errors hold the status and the message', async () => {
    const mistake = open('/v1').embed({ model: EMBEDDER, input: [] })
    await expect(mistake).rejects.toBeInstanceOf(VoyageAIError)
    await expect(mistake).rejects.toMatchObject({ statusCode: 400 })
    await expect(mistake).rejects.toThrow('input is an empty list')
    const unauthorized = open('/v1', 'another-key').embed({ model: EMBEDDER, input: 'a' })
    await expect(unauthorized).rejects.toMatchObject({ statusCode: 401 })
    await expect(unauthorized).rejects.toThrow('is not the API_KEY of this server')
  })
})
