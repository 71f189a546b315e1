/** Every dialect over HTTP, at the gateway's routes and as a job, with models that compute: the same numbers for the same texts. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { EmbeddingList, Vectors } from './dialect-server.ts'
import { GOLDEN, dot, expectClose, serveDialects } from './dialect-server.ts'

const { get, post, ask, embed } = serveDialects()

/** The body of a success, by each way to it. */
const WAYS: Readonly<Record<string, (path: string, body: object) => Promise<unknown>>> = {
  directly: ask,
  'through the gateway': (path, body) => ask(`/openai${path}`, body),
  'as a job': async (path, body) => {
    const input = { openai_route: path, openai_input: body }
    const { output } = (await ask('/runsync', { input })) as { output: unknown[] }
    expect(output).toHaveLength(1)
    return output[0]
  },
}

function floats(base64: string): number[] {
  const bytes = Buffer.from(base64, 'base64')
  return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(index * 4))
}

const TEXTS = ['This is a test document.', 'hello world', '', 'Größe 🚀']

const list = (answer: unknown) => (answer as EmbeddingList).data.map(({ embedding }) => embedding)
const bare = (answer: unknown) => answer as Vectors
const byType = (answer: unknown) => (answer as { embeddings: { float: Vectors } }).embeddings.float

const EMBEDDINGS: readonly [string, string, object, (answer: unknown) => Vectors][] = [
  ['OpenAI', '/v1/embeddings', { input: TEXTS, encoding_format: 'float', user: 'u' }, list],
  [
    'OpenAI in base64',
    '/v1/embeddings',
    { input: TEXTS, encoding_format: 'base64' },
    (answer) => (answer as { data: { embedding: string }[] }).data.map(({ embedding }) => floats(embedding)),
  ],
  ['Azure', '/deployments/Org%2FMiniLM/embeddings?api-version=1', { input: TEXTS }, list],
  [
    'Jina',
    '/v1/embeddings',
    { input: TEXTS.map((text) => ({ text })), task: 'text-matching', normalized: true },
    list,
  ],
  [
    'Voyage',
    '/embeddings',
    { input: TEXTS, input_type: 'document', truncation: true, output_dtype: 'float' },
    list,
  ],
  [
    'Infinity',
    '/embeddings',
    { input: TEXTS, model: 'default/not-specified', dimensions: 0, modality: 'text' },
    list,
  ],
  [
    'Cohere, version 2',
    '/v2/embed',
    { texts: TEXTS, input_type: 'x', embedding_types: ['int8', 'float'] },
    byType,
  ],
  [
    'Cohere, version 1',
    '/v1/embed',
    { texts: TEXTS },
    (answer) => (answer as { embeddings: Vectors }).embeddings,
  ],
  ['TEI', '/embed', { inputs: TEXTS, truncate: true }, bare],
  ['Hugging Face', '/', { inputs: TEXTS, parameters: { normalize: true } }, bare],
  ['SageMaker', '/invocations', { inputs: TEXTS }, bare],
  [
    'DeepInfra',
    '/v1/inference/Org/MiniLM',
    { inputs: TEXTS },
    (answer) => (answer as { embeddings: Vectors }).embeddings,
  ],
]

describe.each(Object.entries(WAYS))('asked %s', (_, way) => {
  test.each(EMBEDDINGS)('%s gets the vectors of the plain route', async (_name, path, body, read) => {
    expectClose(read(await way(path, body)), await embed(TEXTS))
  })

  test.each(RERANKS())('%s gets the scores of the plain route', async (_name, path, body, read) => {
    expectClose([read(await way(path, body))], [await rerank(false)])
  })

  test.each(RAW_RERANKS())('%s gets the logits of the plain route', async (_name, path, body, read) => {
    expectClose([read(await way(path, body))], [await rerank(true)])
  })

  test('a classifier is asked by two names', async () => {
    const texts = ['A fine film.', 'A bad film.']
    const { data } = (await way('/classify', { input: texts, model: 'critic' })) as { data: unknown }
    expect(await way('/predict', { inputs: texts.map((text) => [text]), model: 'critic' })).toEqual(data)
    expect(data).toHaveLength(2)
  })
})

test('a job without a route has the same vectors and scores', async () => {
  const run = async (input: object) => ((await ask('/runsync', { input })) as { output: unknown }).output
  expectClose(list(await run({ input: TEXTS })), await embed(TEXTS))
  const { scores } = (await run({ query: QUERY, docs: DOCUMENTS })) as { scores: number[] }
  expectClose([scores], [await rerank(false)])
})

const { cases } = JSON.parse(readFileSync(join(GOLDEN, 'bert-cross-encoder/golden.json'), 'utf8')) as {
  cases: { query: string; document: string; scores: number[]; logits: number[] }[]
}
const QUERY = cases[0]?.query ?? ''
const PAIRS = cases.filter(({ query }) => query === QUERY)
const DOCUMENTS = [...PAIRS.map(({ document }) => document), 'A river.', '']

interface Placed {
  readonly index: number
  readonly relevance_score?: number
  readonly score?: number
  readonly logit?: number
}

/** In the order of the documents. */
function scoresOf(items: readonly Placed[]): number[] {
  expect(items.map(({ index }) => index).toSorted((a, b) => a - b)).toEqual([...DOCUMENTS.keys()])
  const scores = items.map(({ relevance_score, score, logit }) => relevance_score ?? score ?? logit ?? NaN)
  expect(scores).toEqual(scores.toSorted((a, b) => b - a))
  return [...DOCUMENTS.keys()].map((place) => scores[items.findIndex(({ index }) => index === place)] ?? NaN)
}

async function rerank(raw: boolean): Promise<number[]> {
  const body = { query: QUERY, documents: DOCUMENTS, raw_scores: raw }
  return scoresOf(((await ask('/rerank', body)) as { results: Placed[] }).results)
}

type RerankCase = readonly [string, string, object, (answer: unknown) => readonly number[]]

const results = (answer: unknown) => scoresOf((answer as { results: Placed[] }).results)
const data = (answer: unknown) => scoresOf((answer as { data: Placed[] }).data)

function RERANKS(): RerankCase[] {
  const documents = DOCUMENTS
  return [
    ['Cohere, version 1', '/v1/rerank', { query: QUERY, documents, max_chunks_per_doc: null }, results],
    [
      'Cohere, version 2',
      '/v2/rerank',
      { query: QUERY, documents: documents.map((text) => ({ text })) },
      results,
    ],
    ['Voyage', '/v1/rerank', { query: QUERY, documents, top_k: null }, data],
    ['Jina', '/v1/rerank', { query: { text: QUERY }, documents, top_n: documents.length }, results],
    ['TEI', '/rerank', { query: QUERY, texts: documents }, (answer) => scoresOf(answer as Placed[])],
    ['Hugging Face', '/', { query: QUERY, texts: documents }, (answer) => scoresOf(answer as Placed[])],
    ['Mixedbread', '/v1/reranking', { query: QUERY, input: documents }, data],
    [
      'DeepInfra',
      '/v1/inference/judge',
      { queries: documents.map(() => QUERY), documents },
      (answer) => (answer as { scores: number[] }).scores,
    ],
    [
      'vLLM',
      '/score',
      { text_1: QUERY, text_2: documents },
      (answer) => (answer as { data: { score: number }[] }).data.map(({ score }) => score),
    ],
    [
      'vLLM with lists',
      '/v1/score',
      { text_1: documents.map(() => QUERY), text_2: documents },
      (answer) => (answer as { data: { score: number }[] }).data.map(({ score }) => score),
    ],
  ]
}

function RAW_RERANKS(): RerankCase[] {
  return [
    ['Infinity', '/rerank', { query: QUERY, documents: DOCUMENTS, raw_scores: true }, results],
    [
      'NVIDIA',
      '/v1/ranking',
      { query: { text: QUERY }, passages: DOCUMENTS.map((text) => ({ text })) },
      (answer) => scoresOf((answer as { rankings: Placed[] }).rankings),
    ],
  ]
}

test('scores and logits are those of the Python libraries', async () => {
  const [scores, logits] = [await rerank(false), await rerank(true)]
  for (const [index, pair] of PAIRS.entries()) {
    expect(scores[index]).toBeCloseTo(pair.scores[0] ?? NaN, 4)
    expect(logits[index]).toBeCloseTo(pair.logits[0] ?? NaN, 4)
  }
  expect(PAIRS.length).toBeGreaterThan(0)
})
test('similarity is the cosine of the vectors', async () => {
  const [source = [], ...others] = await embed(TEXTS)
  const expected = others.map((other) => dot(other, source))
  for (const path of ['/similarity', '/', '/models/Org/MiniLM']) {
    const inputs = { source_sentence: TEXTS[0], sentences: TEXTS.slice(1) }
    expectClose([(await ask(path, { inputs })) as number[]], [expected])
  }
})

test('headers tell the model, the cut and the prompt that is not there', async () => {
  const { headers } = await post('/v1/embeddings', {
    input: ['word '.repeat(400), 'short'],
    model: 'Org/MiniLM',
    input_type: 'Größe',
  })
  expect(headers.get('x-model')).toBe('Org/MiniLM')
  expect(headers.get('x-truncated')).toBe('1')
  expect(headers.get('x-ignored-prompt')).toBe('Gr%C3%B6%C3%9Fe')
  expect(Number(headers.get('x-compute-tokens'))).toBeGreaterThan(200)
})

test('a text that is too long and may not be cut is refused, in the words of each dialect', async () => {
  const long = 'word '.repeat(400)
  const openai = await post('/v1/embeddings', { input: long, truncate: false })
  expect(openai).toMatchObject({ status: 400, body: { error: { code: 'context_length_exceeded' } } })
  const tei = await post('/embed', { inputs: long, truncate: false })
  expect(tei).toMatchObject({ status: 400, body: { error_type: 'Tokenizer' } })
})

test('models and what they can do are listed, and described one by one', async () => {
  const { data: models } = (await get('/v1/models')) as { data: { id: string; capabilities: string[] }[] }
  expect(models.map(({ id, capabilities }) => [id, capabilities])).toEqual([
    ['Org/MiniLM', ['embed']],
    ['judge', ['rerank', 'classify']],
    ['critic', ['classify']],
  ])
  for (const path of ['/v1/models/Org/MiniLM', '/models/Org%2FMiniLM']) {
    expect(await get(path)).toMatchObject({ id: 'Org/MiniLM', dimensions: 384 })
  }
  expect(await get('/info')).toMatchObject({
    model_id: 'Org/MiniLM',
    model_type: { embedding: { pooling: 'mean' } },
  })
  expect(await get('/info/judge')).toMatchObject({ model_type: { reranker: { id2label: { 0: 'LABEL_0' } } } })
})
