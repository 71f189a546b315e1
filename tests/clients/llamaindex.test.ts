/** LlamaIndex.TS: its OpenAI, Jina, Cohere and Voyage packages. */
import { CohereRerank } from '@llamaindex/cohere'
import type { BaseEmbedding } from '@llamaindex/core/embeddings'
import { TextNode } from '@llamaindex/core/schema'
import { JinaAIEmbedding } from '@llamaindex/jinaai'
import { OpenAIEmbedding } from '@llamaindex/openai'
import { VoyageAIEmbedding } from '@llamaindex/voyage-ai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { VoyageAIClient } from 'voyageai'
import type { Program } from '../start-program.ts'
import { largestDifference, ranked } from './compare.ts'
import { describeClient } from './describe-client.ts'
import { openTap } from './open-tap.ts'
import { DOCUMENTS, QUERY } from './samples.ts'
import { DIMENSIONS, EMBEDDER, KEY, RERANKER, plainScores, plainVectors, serve } from './serve.ts'

const GATEWAY = '/v2/an-endpoint/openai'
/** The package has a core of its own, of another version: its nodes are no type of ours. */
interface Reranker {
  postprocessNodes(nodes: object[], query: string): Promise<{ node: object; score?: number | undefined }[]>
}

const TEXTS = Array.from({ length: 11 }, (_, index) => `text ${index}`)

let server: Program
let plain: number[][]

beforeAll(async () => {
  server = await serve()
  plain = await plainVectors(server.found, TEXTS)
})

afterAll(() => server.stop())

async function expectSameVectors(embedding: BaseEmbedding): Promise<void> {
  expect(largestDifference(await embedding.getTextEmbeddingsBatch([...TEXTS]), plain)).toBeLessThanOrEqual(
    1e-6,
  )
  const one = await embedding.getTextEmbedding(TEXTS[3] ?? '')
  expect(largestDifference([one], plain.slice(3, 4))).toBeLessThanOrEqual(1e-6)
}

describeClient('@llamaindex/openai', { baseUrl: 'H/v1, H/openai/v1', works: 'OpenAIEmbedding' }, () => {
  const open = (baseURL: string, apiKey = KEY) =>
    new OpenAIEmbedding({ model: EMBEDDER, apiKey, baseURL, maxRetries: 0 })

  test.each(['/v1', `${GATEWAY}/v1`])('at %s texts have their vectors', (path) =>
    expectSameVectors(open(server.found + path)),
  )

  test('eleven texts are two requests', async () => {
    await using tap = await openTap(server.found)
    await open(`${tap.url}/v1`).getTextEmbeddingsBatch([...TEXTS])
    expect(tap.requests.length).toBe(2)
  })

  test('a wrong key is told', () =>
    expect(open(`${server.found}/v1`, 'another-key').getTextEmbedding('a')).rejects.toThrow(
      'is not the API_KEY of this server',
    ))
})

describeClient('@llamaindex/jinaai', { baseUrl: 'H/v1/embeddings', works: 'JinaAIEmbedding' }, () => {
  const open = (more: Partial<JinaAIEmbedding> = {}) =>
    new JinaAIEmbedding({ model: EMBEDDER, apiKey: KEY, baseURL: `${server.found}/v1/embeddings`, ...more })

  test.each(['/v1', `${GATEWAY}/v1`])('at %s texts have their vectors', (path) =>
    expectSameVectors(open({ baseURL: `${server.found}${path}/embeddings`, task: 'retrieval.passage' })),
  )

  test('ubinary is a byte for eight numbers, binary the same less 128', async () => {
    const ubinary = await open({ encodingType: 'ubinary' }).getTextEmbedding('a')
    expect(ubinary.length).toBe(DIMENSIONS / 8)
    expect(ubinary.every((byte) => Number.isInteger(byte) && byte >= 0 && byte < 256)).toBe(true)
    const binary = await open({ encodingType: 'binary' }).getTextEmbedding('a')
    expect(binary).toEqual(ubinary.map((byte) => byte - 128))
  })

  test('an image is refused with the reason', () =>
    expect(open().getImageEmbedding('https://example.com/panda.png')).rejects.toThrow(/image/))

  test('a wrong key is told', () =>
    expect(open({ apiKey: 'another-key' }).getTextEmbedding('a')).rejects.toThrow('API_KEY of this server'))
})

describeClient('@llamaindex/cohere', { baseUrl: 'H, H/openai', works: 'CohereRerank' }, () => {
  test.each(['', GATEWAY])('at "%s" nodes are ranked', async (base) => {
    const scores = await plainScores(server.found, QUERY, DOCUMENTS)
    const options = { model: RERANKER, apiKey: KEY, baseUrl: server.found + base, topN: 2 }
    const reranker: Reranker = new CohereRerank(options)
    const nodes = DOCUMENTS.map((text) => ({ node: new TextNode({ text }), score: 0 }))
    const kept = await reranker.postprocessNodes(nodes, QUERY)
    const best = ranked(scores).slice(0, 2)
    expect(kept.map(({ node }) => node)).toEqual(best.map((index) => nodes[index]?.node))
    expect(kept[0]?.score).toBeCloseTo(scores[best[0] ?? -1] ?? NaN, 6)
  })
})

describeClient('@llamaindex/voyage-ai', { baseUrl: 'H/v1, H/openai/v1', works: 'VoyageAIEmbedding' }, () => {
  test.each(['/v1', `${GATEWAY}/v1`])('at %s texts have their vectors', async (path) => {
    const embedding = new VoyageAIEmbedding({ model: EMBEDDER, apiKey: KEY })
    // it takes no base URL: its client is replaced
    embedding.client = new VoyageAIClient({ apiKey: KEY, environment: server.found + path }) as never
    await expectSameVectors(embedding)
  })
})
