/** Images among texts, as those clients send them that can; the vectors are those of plain requests. */
import { JinaEmbeddings } from '@langchain/community/embeddings/jina'
import { JinaAIEmbedding } from '@llamaindex/jinaai'
import { CohereClient } from 'cohere-ai'
import { createJina } from 'jina-ai-provider'
import OpenAI from 'openai-7'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { VoyageAIClient } from 'voyageai'
import type { Program } from '../start-program.ts'
import { fromBase64, largestDifference } from './compare.ts'
import { describeClaim, describeClient } from './describe-client.ts'
import { KEY, plainVectors, post, serve } from './serve.ts'
import { STRICT_PARSERS } from './strict-parsers.ts'

const CLIP = 'Org/Clip'
const BASE64 =
  'iVBORw0KGgoAAAANSUhEUgAAAAgAAAAIAgMAAAC5YVYYAAAADFBMVEXIyFoAyFrIAFoAAFoqTmNCAAAAFElEQVR42mP+r83EwABBDKEMcDYAHzIBj32s320AAAAASUVORK5CYII='
const URI = `data:image/png;base64,${BASE64}`
const TEXT = 'a picture of four colours'

let server: Program
let ofText: number[]
let ofImage: number[]

beforeAll(async () => {
  server = await serve({ MODEL_NAMES: `${CLIP}=tests/golden/_vision/clip/model` })
  const [text = []] = await plainVectors(server.found, [TEXT], { model: CLIP })
  const [image = []] = await plainVectors(server.found, [URI], { model: CLIP, modality: 'image' })
  ofText = text
  ofImage = image
})

afterAll(() => server.stop())

test('an image has another vector than its data URI has as a text', async () => {
  const [asText = []] = await plainVectors(server.found, [URI], { model: CLIP })
  expect(largestDifference([asText], [ofImage])).toBeGreaterThan(0.01)
})

function expectSame(vectors: readonly (readonly number[])[], expected: readonly (readonly number[])[]): void {
  expect(largestDifference(vectors, expected)).toBeLessThanOrEqual(1e-6)
}

describeClient('openai', { folder: 'openai-7', baseUrl: 'H/v1', works: 'images, with modality' }, () => {
  test('data URIs are images where the request says so', async () => {
    const client = new OpenAI({ apiKey: KEY, baseURL: `${server.found}/v1` })
    const typed = { model: CLIP, input: [URI, URI] }
    const request = { ...typed, modality: 'image' } as typeof typed
    const { data, usage } = await client.embeddings.create(request)
    expectSame(
      data.map(({ embedding }) => embedding),
      [ofImage, ofImage],
    )
    expect(usage.prompt_tokens).toBeGreaterThan(1)
  })
})

describeClient('cohere-ai', { baseUrl: 'H', works: 'images' }, () => {
  const open = () => new CohereClient({ token: KEY, environment: server.found })

  test('v2 embeds images, and texts and images as parts', async () => {
    const common = { model: CLIP, embeddingTypes: ['float' as const] }
    const images = await open().v2.embed({ ...common, images: [URI], inputType: 'image' })
    expectSame(images.embeddings.float ?? [], [ofImage])
    const parts = await open().v2.embed({
      ...common,
      inputType: 'search_document',
      inputs: [
        { content: [{ type: 'image_url', imageUrl: { url: URI } }] },
        { content: [{ type: 'text', text: TEXT }] },
      ],
    })
    expectSame(parts.embeddings.float ?? [], [ofImage, ofText])
  })

  test('v1 embeds images', async () => {
    const { embeddings } = await open().embed({ model: CLIP, images: [URI], inputType: 'image' })
    expectSame(embeddings as number[][], [ofImage])
  })
})

describeClient('voyageai', { baseUrl: 'H/v1', works: 'multimodalEmbed' }, () => {
  const ask = (encodingFormat?: 'base64') =>
    new VoyageAIClient({ apiKey: KEY, environment: `${server.found}/v1`, maxRetries: 0 }).multimodalEmbed({
      model: CLIP,
      inputs: [
        { content: [{ type: 'text', text: TEXT }] },
        { content: [{ type: 'image_base64', imageBase64: URI }] },
      ],
      inputType: 'document',
      truncation: true,
      ...(encodingFormat && { encodingFormat }),
    })

  test('texts and images, an item each', async () => {
    const { data = [], usage } = await ask()
    expectSame(
      data.map(({ embedding = [] }) => embedding),
      [ofText, ofImage],
    )
    expect(usage?.totalTokens).toBeGreaterThan(1)
  })

  test('in base64', async () => {
    const { data = [] } = await ask('base64')
    expectSame(
      data.map(({ embedding }) => fromBase64(String(embedding))),
      [ofText, ofImage],
    )
  })
})

describeClient('jina-ai-provider', { baseUrl: 'H/v1', works: 'multiModalEmbeddingModel' }, () => {
  test('texts, and images as data URIs and in base64', async () => {
    const model = createJina({ baseURL: `${server.found}/v1`, apiKey: KEY }).multiModalEmbeddingModel(CLIP)
    const { embeddings } = await model.doEmbed({
      values: [{ text: TEXT }, { image: URI }, { image: BASE64 }],
    })
    expectSame(embeddings, [ofText, ofImage, ofImage])
  })
})

describeClient(
  '@langchain/community',
  { baseUrl: 'H/v1/embeddings', works: 'JinaEmbeddings: images' },
  () => {
    test('texts and images', async () => {
      const embeddings = new JinaEmbeddings({ model: CLIP, apiKey: KEY, dimensions: ofText.length })
      embeddings.baseUrl = `${server.found}/v1/embeddings`
      expectSame(await embeddings.embedDocuments([TEXT, { text: TEXT }, { image: BASE64 }]), [
        ofText,
        ofText,
        ofImage,
      ])
    })
  },
)

describeClient('@llamaindex/jinaai', { baseUrl: 'H/v1/embeddings', works: 'JinaAIEmbedding: images' }, () => {
  test('images as files', async () => {
    const embedding = new JinaAIEmbedding({
      // the only name that it sends images for
      model: 'jina-clip-v1',
      apiKey: KEY,
      baseURL: `${server.found}/v1/embeddings`,
    })
    const file = new Blob([Buffer.from(BASE64, 'base64')], { type: 'image/png' })
    expectSame(await embedding.getImageEmbeddings([file]), [ofImage])
    expectSame(await embedding.getTextEmbeddings([TEXT]), [ofText])
  })
})

const REPLAYED = {
  'infinity_client (vision)': {
    version: '0.0.77',
    path: '/embeddings',
    body: {
      input: [URI],
      model: CLIP,
      dimensions: 0,
      modality: 'image',
      encoding_format: 'base64',
    },
  },
  'LiteLLM infinity (modality)': {
    version: '1.83.14',
    path: '/embeddings',
    body: { input: [URI], model: 'M', modality: 'image', encoding_format: 'float' },
  },
  'LiteLLM jina_ai (images)': {
    version: '1.83.14',
    path: '/v1/embeddings',
    body: { model: 'M', input: [{ image: BASE64 }] },
  },
}

for (const [client, { version, path, body }] of Object.entries(REPLAYED)) {
  describeClaim({ client, version, baseUrl: 'H', works: 'images', how: 'replayed' }, () => {
    test('gets the vector of the image, and what it insists on', async () => {
      const answer = await post(server.found + path, body)
      const [found] = (answer as { data: { embedding: number[] | string }[] }).data
      const vector = found?.embedding ?? []
      expectSame([typeof vector === 'string' ? fromBase64(vector) : vector], [ofImage])
      // base64 is for the vision client, which looks at nothing else
      if (typeof vector !== 'string') STRICT_PARSERS['infinity embeddings']?.parse(answer)
    })
  })
}
