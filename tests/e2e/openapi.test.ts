/** What /openapi.json promises, kept by models that compute: each example is answered as its schema says. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { z } from 'zod'
import { plainJson } from '../../src/base/plain-json.ts'
import { dispatch } from '../../src/dialects/dispatch.ts'
import { DIALECTS } from '../../src/dialects/registry.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { openEngine } from '../../src/engine/engine.ts'
import { runJob } from '../../src/transports/runpod/job.ts'
import type { OpenModel } from '../open-model.ts'
import { BUNDLED_MODEL, openModel } from '../open-model.ts'

const GOLDEN = join(import.meta.dirname, '../golden/bert')
const FOLDERS = [
  BUNDLED_MODEL,
  join(GOLDEN, 'bert-cross-encoder/model'),
  join(GOLDEN, 'bert-cross-encoder-3-labels/model'),
  join(GOLDEN, '../sparse/sparse-bert-max/model'),
  join(GOLDEN, '../multi_vector/multi-vector-bert/model'),
]
const NAMES = ['embeds', 'reranks', 'classifies', 'weighs', 'compares']

const CLASSIFYING = ['/predict', '/classify']

const opened: OpenModel[] = []
let engine: Engine

beforeAll(async () => {
  for (const folder of FOLDERS) opened.push(await openModel(folder))
  const models = opened.map(({ spec, runner, tokenizer }, index) => ({
    spec,
    runner,
    tokenizer,
    names: [NAMES[index] ?? ''] as const,
    batchSize: 32,
    maxBatchTokens: 512,
    dtypeRequested: 'auto',
  }))
  engine = openEngine(models, { queueSize: 48_000, tokenInput: 'cl100k', cl100k: async () => [] })
})

afterAll(async () => {
  for (const model of opened) await model.close()
})

const endpoints = DIALECTS.flatMap(({ name, endpoints }) =>
  endpoints.flatMap((endpoint) => {
    const { docs, method, routes } = endpoint
    const isAnswered = docs !== undefined && (docs.example !== undefined || method === 'GET')
    return isAnswered ? routes.map((route) => ({ dialect: name, method, route, docs })) : []
  }),
)

describe.each(endpoints)('$method $route of $dialect', ({ method, route, docs }) => {
  // Any name means the one model that can do it; what tells of a model wants its own.
  const path = route.replace('*', method === 'GET' ? 'reranks' : 'org/any')

  // The reranker could do it too: which of the two is meant must be said.
  const body = CLASSIFYING.includes(route) ? { ...docs.example, model: 'classifies' } : docs.example

  test('answers its example with what its schema allows, and nothing else', async () => {
    const answer = await dispatch({ method, route: path, body }, engine)
    expect(answer.error?.message).toBeUndefined()
    expect(answer.status).toBe(200)
    expectShape(docs.response, await plainJson(answer.body))
  })

  test('is answered alike as a job', async () => {
    const job = { input: { openai_route: path, openai_input: body } }
    const result = await runJob(job, engine, { errorStyle: 'failed' })
    expect(result).not.toHaveProperty('error')
    const output = await plainJson('output' in result ? result.output : undefined)
    expectShape(docs.response, Array.isArray(output) ? output[0] : output)
  })

  test.skipIf(docs.request === undefined)('allows its example', () => {
    expectShape(docs.request as z.ZodType, docs.example)
  })
})

function expectShape(schema: z.ZodType, value: unknown): void {
  const result = schema.safeParse(value)
  expect(result.error?.issues).toBeUndefined()
  // keys that are not declared are dropped
  expect(result.data).toEqual(value)
}
