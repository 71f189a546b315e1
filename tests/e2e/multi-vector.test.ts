/** A multi-vector model asked in the words of every client, against the numbers of sentence-transformers. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { plainJson } from '../../src/base/plain-json.ts'
import { dispatch } from '../../src/dialects/dispatch.ts'
import { runJob } from '../../src/transports/runpod/job.ts'
import type { OpenModel } from '../open-model.ts'
import { openModel } from '../open-model.ts'

const FOLDER = join(import.meta.dirname, '../golden/multi_vector/multi-vector-bert')

interface Golden {
  readonly cases: readonly {
    readonly name: string
    readonly text: string
    readonly tokens: readonly (readonly number[])[]
    readonly kept: readonly number[]
  }[]
  readonly pairs: readonly (readonly [string, string, number])[]
}

const { cases, pairs } = JSON.parse(readFileSync(join(FOLDER, 'golden.json'), 'utf8')) as Golden
const caseOf = (name: string) => cases.find((golden) => golden.name === name)
const some = pairs.filter(([name]) => name === 'sentence-query')
const query = caseOf('sentence-query')?.text ?? ''
const documents = some.map(([, name]) => caseOf(name)?.text ?? '')
const expected = some.map(([, , score]) => score)

let model: OpenModel
beforeAll(async () => {
  model = await openModel(join(FOLDER, 'model'))
})
afterAll(() => model?.close())

async function ask(route: string, body: object): Promise<unknown> {
  const answer = await dispatch({ method: 'POST', route, body }, model.engine)
  expect(answer.error?.message).toBeUndefined()
  return plainJson(answer.body)
}

function expectClose(actual: readonly number[], wanted: readonly number[]): void {
  expect(actual).toHaveLength(wanted.length)
  for (const [index, value] of wanted.entries()) expect(actual[index]).toBeCloseTo(value, 4)
}

interface Result {
  readonly index: number
  readonly relevance_score?: number
  readonly score?: number
}

function inOrder(results: readonly Result[]): number[] {
  return results
    .toSorted((a, b) => a.index - b.index)
    .map(({ relevance_score: relevance, score }) => relevance ?? score ?? NaN)
}

test.each([
  ['/v1/rerank', { query, documents }],
  ['/v2/rerank', { query, documents }],
  ['/rerank', { query, documents }],
  ['/v1/reranking', { query, input: documents }],
  ['/rerank', { query, documents, raw_scores: true }],
])('%s has the scores of the reference, the best first, %#', async (route, body) => {
  const answer = (await ask(route, body)) as { results?: readonly Result[]; data?: readonly Result[] }
  const results = answer.results ?? answer.data ?? []
  expectClose(inOrder(results), expected)
  const scores = results.map(({ relevance_score: relevance, score }) => relevance ?? score ?? NaN)
  expect(scores).toEqual(scores.toSorted((a, b) => b - a))
})

test('Text Embeddings Inference’s rerank, vLLM’s score and a job have them too', async () => {
  expectClose(inOrder((await ask('/rerank', { query, texts: documents })) as Result[]), expected)
  const { data } = (await ask('/score', { text_1: query, text_2: documents })) as { data: Result[] }
  expectClose(inOrder(data), expected)
  const result = await runJob({ input: { query, docs: documents } }, model.engine, { errorStyle: 'failed' })
  const output = (await plainJson('output' in result ? result.output : {})) as { scores: number[] }
  expectClose(output.scores, expected)
})

test('a query and a document have the vectors of the reference, on every route that gives them', async () => {
  for (const [name, type] of [
    ['sentence-query', 'query'],
    ['punctuation-document', 'document'],
  ] as const) {
    const { text = '', tokens = [], kept = [] } = caseOf(name) ?? {}
    const wanted = kept.flatMap((place) => tokens[place] ?? [])
    const asked = { input: [text], input_type: type }
    const jina = (await ask('/v1/multi-vector', asked)) as { data: { embeddings: number[][] }[] }
    expectClose(jina.data[0]?.embeddings.flat() ?? [], wanted)
    const vllm = (await ask('/pooling', asked)) as { data: { data: number[][] }[] }
    expectClose(vllm.data[0]?.data.flat() ?? [], wanted)
    const tei = (await ask('/embed_all', { inputs: [text], prompt_name: type })) as number[][][]
    expectClose(tei[0]?.flat() ?? [], wanted)
    const job = { input: { task: 'multi_vector', ...asked } }
    const result = await runJob(job, model.engine, { errorStyle: 'failed' })
    const output = await plainJson('output' in result ? result.output : {})
    expectClose((output as typeof jina).data[0]?.embeddings.flat() ?? [], wanted)
  }
})

test('a cut vector has length 1 again', async () => {
  const { data } = (await ask('/v1/multi-vector', { input: query, dimensions: 5 })) as {
    data: { embeddings: number[][] }[]
  }
  for (const vector of data[0]?.embeddings ?? []) {
    expect(vector).toHaveLength(5)
    expect(Math.hypot(...vector)).toBeCloseTo(1, 5)
  }
})

test.each(['/v1/embeddings', '/v2/embed', '/embed', '/similarity'])(
  '%s says where the vectors are',
  async (route) => {
    const body = { input: ['a'], inputs: { source_sentence: 'a', sentences: ['b'] }, texts: ['a'] }
    const asked = route === '/similarity' ? body : { ...body, inputs: ['a'] }
    const { status, error } = await dispatch({ method: 'POST', route, body: asked }, model.engine)
    expect([status, error?.code]).toEqual([400, 'wrong_task'])
    expect(error?.message).toContain('/v1/multi-vector')
  },
)
