/** Vercel's AI SDK: its providers check every answer against a schema of their own. */
import { createCohere } from '@ai-sdk/cohere'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { createTogetherAI } from '@ai-sdk/togetherai'
import { createVoyage } from '@ai-sdk/voyage'
import type { EmbeddingModel, JSONValue, RerankingModel } from 'ai'
import { APICallError, embed, embedMany, rerank } from 'ai'
import * as ai6 from 'ai-6'
import { createOpenAICompatible as createCompatible2 } from 'ai-sdk-openai-compatible-2'
import { createJina } from 'jina-ai-provider'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createVoyage as createCommunityVoyage } from 'voyage-ai-provider'
import type { Program } from '../start-program.ts'
import { largestDifference, ranked } from './compare.ts'
import { describeClient } from './describe-client.ts'
import { openTap } from './open-tap.ts'
import { DOCUMENTS, QUERY, TEXTS } from './samples.ts'
import { DIMENSIONS, EMBEDDER, KEY, RERANKER, plainScores, plainVectors, serve } from './serve.ts'

const GATEWAY = '/v2/an-endpoint/openai'

let server: Program
let plain: number[][]
let scores: number[]

beforeAll(async () => {
  server = await serve()
  plain = await plainVectors(server.found, TEXTS)
  scores = await plainScores(server.found, QUERY, DOCUMENTS)
})

afterAll(() => server.stop())

type JSONObject = Record<string, JSONValue>
type OpenEmbedder = (baseURL: string, apiKey?: string) => EmbeddingModel

function embeds(version: string, open: OpenEmbedder): void {
  test.each([version, `${GATEWAY}${version}`])(
    'at %s vectors are in order and have a usage',
    async (path) => {
      const model = open(server.found + path)
      const { embeddings, usage } = await embedMany({ model, values: TEXTS })
      expect(largestDifference(embeddings, plain)).toBeLessThanOrEqual(1e-6)
      expect(usage.tokens).toBeGreaterThan(10)
      const { embedding } = await embed({ model, value: TEXTS[1] ?? '' })
      expect(largestDifference([embedding], plain.slice(1, 2))).toBeLessThanOrEqual(1e-6)
    },
  )

  test('a wrong key is an APICallError with the message, and is not tried again', async () => {
    await using tap = await openTap(server.found)
    const model = open(tap.url + version, 'another-key')
    const asked = embed({ model, value: 'a' })
    await expect(asked).rejects.toSatisfy((error) => APICallError.isInstance(error))
    await expect(asked).rejects.toMatchObject({ statusCode: 401 })
    await expect(asked).rejects.toThrow('is not the API_KEY of this server')
    expect(tap.requests.length).toBe(1)
  })
}

type OpenReranker = (baseURL: string) => RerankingModel

function reranks(version: string, open: OpenReranker): void {
  const paths = [version, `${GATEWAY}${version}`]

  test.each(paths)('at %s a ranking has the scores of the job', async (path) => {
    const model = open(server.found + path)
    const { ranking } = await rerank({ model, query: QUERY, documents: DOCUMENTS })
    expect(ranking.map(({ originalIndex }) => originalIndex)).toEqual(ranked(scores))
    for (const { originalIndex, score } of ranking) expect(score).toBeCloseTo(scores[originalIndex] ?? NaN, 6)
  })

  test('objects can be ranked, and topN keeps the best', async () => {
    const documents: JSONObject[] = DOCUMENTS.map((text) => ({ text, year: 2024 }))
    const model = open(server.found + version)
    const { ranking } = await rerank({ model, query: QUERY, documents, topN: 2 })
    expect(ranking.length).toBe(2)
    expect(ranking[0]?.score).toBeGreaterThanOrEqual(ranking[1]?.score ?? NaN)
    expect(documents).toContain(ranking[0]?.document)
  })
}

async function refusesLongText(
  model: EmbeddingModel,
  providerOptions: Record<string, JSONObject>,
): Promise<void> {
  const asked = embed({ model, value: 'word '.repeat(1000), providerOptions })
  await expect(asked).rejects.toMatchObject({ statusCode: 400 })
  await expect(asked).rejects.toThrow(/tokens/)
}

describeClient(
  '@ai-sdk/openai-compatible',
  { baseUrl: 'H/v1, H/openai/v1', works: 'embed, embedMany' },
  () => {
    const open: OpenEmbedder = (baseURL, apiKey = KEY) =>
      createOpenAICompatible({ name: 'worker', baseURL, apiKey }).embeddingModel(EMBEDDER)
    embeds('/v1', open)

    test('2,049 values are two requests, and in order', async () => {
      await using tap = await openTap(server.found)
      const values = Array.from({ length: 2049 }, (_, index) => `text ${index}`)
      const { embeddings } = await embedMany({ model: open(`${tap.url}/v1`), values })
      expect(tap.requests.length).toBe(2)
      const picked = [0, 1, 1000, 2047, 2048]
      const expected = await plainVectors(
        server.found,
        picked.map((index) => values[index] ?? ''),
      )
      const actual = picked.map((index) => embeddings[index] ?? [])
      expect(largestDifference(actual, expected)).toBeLessThanOrEqual(1e-6)
    })

    test('64 callers at a time each have their own vectors', async () => {
      const model = open(`${server.found}/v1`)
      const callers = Array.from({ length: 64 }, (_, index) => [`caller ${index}`, `second text of ${index}`])
      const answers = await Promise.all(callers.map((values) => embedMany({ model, values })))
      const expected = await plainVectors(server.found, callers.flat())
      const actual = answers.flatMap(({ embeddings }) => embeddings)
      expect(largestDifference(actual, expected)).toBeLessThanOrEqual(1e-6)
    })

    test('dimensions cut the vectors, and too many are a 400 that says how many there are', async () => {
      const model = open(`${server.found}/v1`)
      const cut = await embed({ model, value: 'a', providerOptions: { worker: { dimensions: 64 } } })
      const expected = await plainVectors(server.found, ['a'], { dimensions: 64 })
      expect(largestDifference([cut.embedding], expected)).toBeLessThanOrEqual(1e-6)
      const tooMany = embed({ model, value: 'a', providerOptions: { worker: { dimensions: 1024 } } })
      await expect(tooMany).rejects.toThrow(String(DIMENSIONS))
    })
  },
)

describe('with AI SDK 6', () => {
  const options = { folder: 'ai-sdk-openai-compatible-2', baseUrl: 'H/v1', works: 'embed, embedMany' }
  describeClient('@ai-sdk/openai-compatible', options, () => {
    test('vectors are in order and have a usage', async () => {
      const provider = createCompatible2({ name: 'worker', baseURL: `${server.found}/v1`, apiKey: KEY })
      const model = provider.embeddingModel(EMBEDDER)
      const { embeddings, usage } = await ai6.embedMany({ model, values: TEXTS })
      expect(largestDifference(embeddings, plain)).toBeLessThanOrEqual(1e-6)
      expect(usage.tokens).toBeGreaterThan(10)
    })
  })
})

describeClient('@ai-sdk/openai', { baseUrl: 'H/v1, H/openai/v1', works: 'embed, embedMany' }, () => {
  embeds('/v1', (baseURL, apiKey = KEY) => createOpenAI({ baseURL, apiKey }).embeddingModel(EMBEDDER))
})

describeClient('@ai-sdk/cohere', { baseUrl: 'H/v2, H/openai/v2', works: 'embed, embedMany, rerank' }, () => {
  const open = (baseURL: string, apiKey = KEY) => createCohere({ baseURL, apiKey })
  const embedder: OpenEmbedder = (baseURL, apiKey) => open(baseURL, apiKey).embeddingModel(EMBEDDER)
  embeds('/v2', embedder)
  reranks('/v2', (baseURL) => open(baseURL).rerankingModel(RERANKER))

  test('97 values are two requests, and in order', async () => {
    await using tap = await openTap(server.found)
    const values = Array.from({ length: 97 }, (_, index) => `text ${index}`)
    const { embeddings } = await embedMany({ model: embedder(`${tap.url}/v2`), values })
    expect(tap.requests.length).toBe(2)
    expect(largestDifference(embeddings, await plainVectors(server.found, values))).toBeLessThanOrEqual(1e-6)
  })

  test('a text that must not be cut and is too long is a 400 with its reason', () =>
    refusesLongText(embedder(`${server.found}/v2`), { cohere: { truncate: 'NONE' } }))
})

const VOYAGES = { '@ai-sdk/voyage': createVoyage, 'voyage-ai-provider': createCommunityVoyage }
for (const [name, create] of Object.entries(VOYAGES)) {
  describeClient(name, { baseUrl: 'H/v1, H/openai/v1', works: 'embed, embedMany, rerank' }, () => {
    const embedder: OpenEmbedder = (baseURL, apiKey = KEY) =>
      create({ baseURL, apiKey }).embeddingModel(EMBEDDER)
    embeds('/v1', embedder)
    reranks('/v1', (baseURL) => create({ baseURL, apiKey: KEY }).rerankingModel(RERANKER))

    test('outputDimension cuts the vectors, and outputDtype makes integers of them', async () => {
      const model = embedder(`${server.found}/v1`)
      const ask = (voyage: JSONObject) => embed({ model, value: 'a', providerOptions: { voyage } })
      const expected = await plainVectors(server.found, ['a'], { dimensions: 64 })
      const { embedding } = await ask({ outputDimension: 64, inputType: 'document' })
      expect(largestDifference([embedding], expected)).toBeLessThanOrEqual(1e-6)
      const bytes = (await ask({ outputDtype: 'int8' })).embedding
      expect(bytes.length).toBe(DIMENSIONS)
      expect(bytes.every((value) => Number.isInteger(value) && value >= -128 && value <= 127)).toBe(true)
    })

    test('a text that must not be cut and is too long is a 400 with its reason', () =>
      refusesLongText(embedder(`${server.found}/v1`), { voyage: { truncation: false } }))
  })
}

describeClient(
  '@ai-sdk/togetherai',
  { baseUrl: 'H/v1, H/openai/v1', works: 'embed, embedMany, rerank' },
  () => {
    const open = (baseURL: string, apiKey = KEY) => createTogetherAI({ baseURL, apiKey })
    embeds('/v1', (baseURL, apiKey) => open(baseURL, apiKey).embeddingModel(EMBEDDER))
    reranks('/v1', (baseURL) => open(baseURL).rerankingModel(RERANKER))

    test('rankFields choose what of an object is read', async () => {
      const documents: JSONObject[] = DOCUMENTS.map((body, index) => ({ title: `${index}`, body }))
      const providerOptions = { togetherai: { rankFields: ['body'] } }
      const model = open(`${server.found}/v1`).rerankingModel(RERANKER)
      const { ranking } = await rerank({ model, query: QUERY, documents, providerOptions })
      expect(ranking.length).toBe(DOCUMENTS.length)
      // a title would change no score if it is not read
      const others = documents.map((document) => ({ ...document, title: 'another title' }))
      const again = await rerank({ model, query: QUERY, documents: others, providerOptions })
      expect(again.ranking.map(({ score }) => score)).toEqual(ranking.map(({ score }) => score))
    })
  },
)

const JINA = { baseUrl: 'H/v1, H/openai/v1', works: 'embed, embedMany, text of the multimodal model' }
describeClient('jina-ai-provider', JINA, () => {
  const open = (baseURL: string, apiKey = KEY) => createJina({ baseURL, apiKey })
  const embedder: OpenEmbedder = (baseURL, apiKey) => open(baseURL, apiKey).textEmbeddingModel(EMBEDDER)
  embeds('/v1', embedder)

  test('texts of the multimodal model have the vectors of the texts', async () => {
    const model = open(`${server.found}/v1`).multiModalEmbeddingModel(EMBEDDER)
    const { embeddings } = await model.doEmbed({ values: TEXTS.map((text) => ({ text })) })
    expect(largestDifference(embeddings, plain)).toBeLessThanOrEqual(1e-6)
  })

  test('an image is a 400 that says so', async () => {
    const model = open(`${server.found}/v1`).multiModalEmbeddingModel(EMBEDDER)
    const asked = model.doEmbed({ values: [{ image: 'data:image/png;base64,iVBORw0KGgo=' }] })
    await expect(asked).rejects.toMatchObject({ statusCode: 400 })
    await expect(asked).rejects.toThrow(/image/)
  })

  test('a task that the model has no prompt for changes nothing, and chunks are read in their document', async () => {
    const model = embedder(`${server.found}/v1`)
    const ask = (options: JSONObject) =>
      embedMany({ model, values: TEXTS.slice(0, 2), providerOptions: { jina: options } })
    const { embeddings } = await ask({ inputType: 'retrieval.passage', truncate: true })
    expect(largestDifference(embeddings, plain.slice(0, 2))).toBeLessThanOrEqual(1e-6)
    const late = (await ask({ lateChunking: true, truncate: true })).embeddings
    expect(late.map((vector) => vector.length)).toEqual([DIMENSIONS, DIMENSIONS])
    expect(largestDifference(late, plain.slice(0, 2))).toBeGreaterThan(0.01)
  })

  test('a text that must not be cut and is too long is a 400 with its reason', () =>
    refusesLongText(embedder(`${server.found}/v1`), { jina: { truncate: false } }))
})
