/** What all clients rely on, whichever they are: paths, nulls, statuses, and the size of an answer. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Program } from '../start-program.ts'
import { fromBase64 } from './compare.ts'
import { mismatches } from './match-pattern.ts'
import { DOCUMENTS, QUERY, TEXTS } from './samples.ts'
import { DIMENSIONS, EMBEDDER, KEY, RERANKER, post, serve } from './serve.ts'

let server: Program

beforeAll(async () => {
  server = await serve()
})

afterAll(() => server.stop())

const EMBED = { model: EMBEDDER, input: TEXTS }
const RERANK = { model: RERANKER, query: QUERY, documents: DOCUMENTS }
const COHERE = { model: EMBEDDER, texts: TEXTS, input_type: 'search_document' }

/** Paths that a base URL of any kind makes of one that a client adds. */
function spellings(path: string): string[] {
  return [path, `/v1${path}`, `/v1/v1${path}`, `/${path}`, `${path}/`, `/v1/${path}/`, `${path}?a=b`]
}

test.each([
  ['/embeddings', EMBED],
  ['/rerank', RERANK],
  ['/rerank', { query: QUERY, texts: DOCUMENTS }],
  ['/embed', { inputs: TEXTS }],
  ['/similarity', { inputs: { source_sentence: 'a', sentences: ['b'] } }],
  ['/tokenize', { inputs: TEXTS }],
  [`/inference/${RERANKER}`, { queries: [QUERY], documents: DOCUMENTS }],
])('%s is found under every spelling', async (path, body) => {
  for (const spelling of spellings(path)) {
    const response = await send(spelling, body)
    expect(response.status, spelling).toBe(200)
    await response.text()
  }
})

test.each([
  ['/v1/v2/rerank', RERANK],
  ['/v2/v2/rerank', RERANK],
  ['/v2/v1/embed', COHERE],
  ['/v2/v2/embed', { ...COHERE, embedding_types: ['float'] }],
])('%s is answered in the dialect of the version next to it', async (path, body) => {
  const asked = await post(server.found + path, body)
  expect(steady(asked)).toEqual(steady(await post(server.found + path.replace(/^\/v\d/, ''), body)))
})

const NULLS: readonly [string, object, readonly string[]][] = [
  [
    '/v1/embeddings',
    EMBED,
    [
      'encoding_format',
      'dimensions',
      'user',
      'input_type',
      'task',
      'truncation',
      'output_dtype',
      'normalized',
    ],
  ],
  [
    '/v1/rerank',
    RERANK,
    ['top_n', 'return_documents', 'max_chunks_per_doc', 'rank_fields', 'top_k', 'truncation'],
  ],
  ['/v2/rerank', RERANK, ['top_n', 'max_tokens_per_doc', 'priority', 'return_documents']],
  ['/rerank', RERANK, ['top_n', 'return_documents', 'raw_scores']],
  ['/v2/embed', COHERE, ['truncate', 'output_dimension', 'max_tokens', 'images', 'inputs']],
  ['/v1/embed', COHERE, ['truncate', 'embedding_types', 'images']],
  [
    '/embed',
    { inputs: TEXTS },
    ['truncate', 'normalize', 'prompt_name', 'truncation_direction', 'dimensions'],
  ],
]

test.each(NULLS)('%s takes null for a field that is not there', async (path, body, fields) => {
  const absent = steady(await post(server.found + path, body))
  for (const field of fields) {
    const answer = await post(server.found + path, { ...body, [field]: null })
    expect(steady(answer), field).toEqual(absent)
  }
})

const MISTAKES: readonly [string, object][] = [
  ['/v1/embeddings', {}],
  ['/v1/embeddings', { ...EMBED, input: [] }],
  ['/v1/embeddings', { ...EMBED, input: [[-1]] }],
  ['/v1/embeddings', { ...EMBED, input: 5 }],
  ['/v1/embeddings', { ...EMBED, dimensions: 100_000 }],
  ['/v1/embeddings', { ...EMBED, encoding_format: 'hex' }],
  ['/v1/embeddings', { ...EMBED, input: 'word '.repeat(1000), truncate: false }],
  ['/v1/rerank', { ...RERANK, documents: [] }],
  ['/v1/rerank', { ...RERANK, top_n: -1 }],
  ['/v2/rerank', { ...RERANK, query: 5 }],
  ['/rerank', { ...RERANK, documents: [5] }],
  ['/v2/embed', { ...COHERE, texts: [] }],
  ['/v1/embed', { ...COHERE, embedding_types: ['hex'] }],
  ['/classify', { input: [] }],
]

test.each(MISTAKES)('a mistake at %s is a 400, which nobody tries again: %j', async (path, body) => {
  const response = await send(path, body)
  const answer: unknown = await response.json()
  expect(response.status).toBe(400)
  const error = { message: '<string>', type: '<string>', code: '<string>' }
  expect(mismatches(answer, { error, message: '<string>', detail: '<string>' })).toEqual([])
})

test('a batch of 2,048 texts has numbers no longer than float32 needs, and less than half of it as base64', async () => {
  const input = Array.from({ length: 2048 }, (_, index) => `text ${index}`)
  const floats = await (await send('/v1/embeddings', { model: EMBEDDER, input })).text()
  const packed = await (
    await send('/v1/embeddings', { model: EMBEDDER, input, encoding_format: 'base64' })
  ).text()
  expect(floats.length / (2048 * DIMENSIONS)).toBeLessThan(13)
  expect(packed.length / (2048 * DIMENSIONS)).toBeLessThan(5.7)
  const [numbers, texts] = [floats, packed].map((text) => (JSON.parse(text) as Data<unknown>).data)
  const last = numbers?.[2047]?.embedding as number[]
  expect(last.map(Math.fround)).toEqual(fromBase64(texts?.[2047]?.embedding as string))
})

interface Data<T> {
  readonly data: readonly { readonly embedding: T }[]
}

function send(path: string, body: object): Promise<Response> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${KEY}` }
  return fetch(server.found + path, { method: 'POST', headers, body: JSON.stringify(body) })
}

/** An answer without what is new in each. */
function steady(answer: unknown): unknown {
  if (Array.isArray(answer)) return answer
  const { id: _id, created: _created, ...rest } = answer as Record<string, unknown>
  return rest
}
