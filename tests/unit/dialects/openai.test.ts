import { describe, expect, test } from 'vitest'
import { dispatch } from '../../../src/dialects/dispatch.ts'
import type { ModelInfo } from '../../../src/task.ts'
import { FakeService, bodyOf, refusal } from '../../fakes/service.ts'

interface EmbeddingList {
  readonly model: string
  readonly data: readonly { readonly embedding: number[] | string; readonly index: number }[]
}

function ask(body: unknown, service = new FakeService()) {
  return dispatch({ route: '/v1/embeddings', body }, service)
}

async function embeddings(body: unknown, service?: FakeService): Promise<EmbeddingList> {
  return (await bodyOf(ask(body, service))) as EmbeddingList
}

describe('an embedding answer', () => {
  test('is the list of OpenAI, key by key', async () => {
    const body = await embeddings({ model: 'm', input: 'Hello world' })
    expect(JSON.stringify(body)).toBe(
      '{"object":"list","model":"m","data":[{"object":"embedding","embedding":[0.01,-0.02],"index":0}],' +
        '"usage":{"prompt_tokens":2,"total_tokens":2}}',
    )
  })

  test('has one entry for each text, in their order', async () => {
    const service = new FakeService({ vector: (text) => [text.length, 0] })
    const { data } = await embeddings({ input: ['a', 'bbb', '', 'cc'] }, service)
    expect(data.map(({ embedding, index }) => [index, embedding])).toEqual([
      [0, [1, 0]],
      [1, [3, 0]],
      [2, [0, 0]],
      [3, [2, 0]],
    ])
    expect(service.tasks).toMatchObject([{ kind: 'embed', texts: ['a', 'bbb', '', 'cc'] }])
  })

  test.each([
    [{ model: 'as-asked' }, 'as-asked'],
    [{ model: '' }, 'served-model'],
    [{ model: null }, 'served-model'],
    [{}, 'served-model'],
  ])('to %o names model %s', async (fields, model) => {
    const service = new FakeService()
    expect((await embeddings({ input: 'a', ...fields }, service)).model).toBe(model)
    expect(service.tasks[0]?.model).toBe(model === 'as-asked' ? model : undefined)
  })

  test('writes every number as the shortest text of its float32', async () => {
    const service = new FakeService({ vector: () => [0.1, -1 / 3, 1e-7, 0, 1] })
    const body = await embeddings({ input: 'a' }, service)
    expect(JSON.stringify(body.data[0]?.embedding)).toBe('[0.1,-0.33333334,1e-7,0,1]')
  })

  test('in base64 holds little-endian float32 numbers', async () => {
    const service = new FakeService({ vector: (text) => [text.length, -0.5, 1 / 3] })
    const { data } = await embeddings({ input: ['a', 'bb'], encoding_format: 'base64' }, service)
    expect(data[0]?.embedding).toBe('AACAPwAAAL+rqqo+')
    const bytes = Buffer.from(data[1]?.embedding as string, 'base64')
    expect(bytes.length).toBe(12)
    expect([bytes.readFloatLE(0), bytes.readFloatLE(4), bytes.readFloatLE(8)]).toEqual([
      2,
      -0.5,
      Math.fround(1 / 3),
    ])
  })

  test.each([['float'], [null], [undefined]])('with encoding_format %s holds numbers', async (encoding) => {
    const { data } = await embeddings({ input: 'a', encoding_format: encoding })
    expect(data[0]?.embedding).toEqual([0.01, -0.02])
  })

  test('of more numbers than are converted in one go is whole', async () => {
    const service = new FakeService({ vector: (text) => Array.from({ length: 1024 }, () => Number(text)) })
    const { data } = await embeddings(
      { input: Array.from({ length: 150 }, (_, index) => `${index}`) },
      service,
    )
    expect(data).toHaveLength(150)
    expect(
      data.every(({ embedding, index }) => (embedding as number[]).every((value) => value === index)),
    ).toBe(true)
  })
})

describe('an embedding request', () => {
  test.each([
    [256, 256],
    [0, undefined],
    [null, undefined],
    [undefined, undefined],
  ])('with dimensions %s asks for %s', async (given, asked) => {
    const service = new FakeService()
    await embeddings({ input: 'a', dimensions: given }, service)
    expect(service.tasks).toMatchObject([{ dimensions: asked }])
  })

  test('may carry fields that nobody knows', async () => {
    const service = new FakeService()
    await embeddings({ input: 'a', user: 'u-1', priority: 3 }, service)
    expect(service.tasks).toEqual([{ kind: 'embed', model: undefined, texts: ['a'], dimensions: undefined }])
  })

  test('hands its signal on', async () => {
    const service = new FakeService()
    const { signal } = new AbortController()
    await dispatch({ route: '/v1/embeddings', body: { input: 'a' } }, service, { signal })
    expect(service.signals).toEqual([signal])
  })

  test.each([
    [undefined, 'the request is missing; it must be an object'],
    [null, 'the request is null; it must be an object'],
    [[], 'the request is a list of 0; it must be an object'],
    ['text', 'the request is "text"; it must be an object'],
    [{}, 'input is missing; it must be a string or a list of strings'],
    [{ input: null }, 'input is missing; it must be a string or a list of strings'],
    [{ input: 5 }, 'input is 5; it must be a string or a list of strings'],
    [{ input: true }, 'input is true; it must be a string or a list of strings'],
    [{ input: { text: 'a' } }, 'input is an object; it must be a string or a list of strings'],
    [{ input: [] }, 'input is an empty list; at least one text is needed'],
    [{ input: ['a', 5] }, 'input[1] is 5; every item must be a string'],
    [{ input: ['a', 'b', null] }, 'input[2] is null; every item must be a string'],
    [{ input: [[1, 2]] }, 'input[0] is a list of 2; every item must be a string'],
    [{ input: [{}] }, 'input[0] is an object; every item must be a string'],
    [{ input: 'a', model: 5 }, 'model is 5; it must be a string'],
    [{ input: 'a', encoding_format: 'hex' }, 'encoding_format is "hex"; it must be one of float, base64'],
    [{ input: 'a', dimensions: -1 }, 'dimensions is -1; it must be at least 0'],
    [{ input: 'a', dimensions: 1.5 }, 'dimensions is 1.5; it must be a whole number'],
    [{ input: 'a', dimensions: '256' }, 'dimensions is "256"; it must be a number'],
    [
      { input: 'a', dimensions: -1, encoding_format: 7 },
      'encoding_format is 7; it must be one of float, base64; dimensions is -1; it must be at least 0',
    ],
  ])('%j is refused: %s', async (body, message) => {
    const service = new FakeService()
    expect(await refusal(ask(body, service))).toEqual({ status: 400, code: 'invalid_request', message })
    expect(service.tasks).toEqual([])
  })

  test('a long wrong value is shown by its start alone', async () => {
    const { message } = await refusal(ask({ input: 'a', encoding_format: 'x'.repeat(5000) }))
    expect(message).toMatch(/^encoding_format is "x{59}…; /)
  })
})

describe('the list of models', () => {
  const embedder: ModelInfo = {
    id: 'small',
    aliases: ['tiny'],
    capabilities: ['embed'],
    dimensions: 384,
    maxTokens: 256,
    dtype: 'fp32',
    dtypeRequested: 'fp16',
    provider: 'cpu',
    batchSize: 32,
    readyAt: 1_763_840_000,
    stats: { queuedItems: 5, heldRequests: 0, waitingTokens: 0, runningBatches: 1 },
    healthy: true,
  }

  test('has an entry for each, with the owner and stats that clients insist on', async () => {
    const reranker = {
      ...embedder,
      id: 'judge',
      capabilities: ['rerank', 'classify'],
      dimensions: undefined,
    } as const
    const service = new FakeService({ models: [embedder, reranker] })
    const body = await bodyOf(dispatch({ route: '/v1/models', body: undefined }, service))
    const entry = {
      object: 'model',
      created: 1_763_840_000,
      owned_by: 'infinity',
      aliases: ['tiny'],
      max_tokens: 256,
      dtype: 'fp32',
      dtype_requested: 'fp16',
      provider: 'cpu',
      stats: { batch_size: 32, queued_items: 5, running_batches: 1 },
    }
    expect(JSON.parse(JSON.stringify(body))).toEqual({
      object: 'list',
      data: [
        { ...entry, id: 'small', capabilities: ['embed'], dimensions: 384 },
        { ...entry, id: 'judge', capabilities: ['rerank', 'classify'] },
      ],
    })
  })
})
