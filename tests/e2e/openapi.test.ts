/** What /openapi.json promises, kept by models that compute: each example is answered as its schema says. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { z } from 'zod'
import { plainJson } from '../../src/base/plain-json.ts'
import { dispatch } from '../../src/dialects/dispatch.ts'
import { DIALECTS } from '../../src/dialects/registry.ts'
import { runJob } from '../../src/transports/runpod/job.ts'
import { BUNDLED_MODEL } from '../open-model.ts'
import type { OpenedEngine } from './open-engine.ts'
import { MEDIA_FOLDERS, MEDIA_ROUTES, openEngineOf } from './open-engine.ts'

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

let texts: OpenedEngine
let media: OpenedEngine

beforeAll(async () => {
  texts = await openEngineOf(FOLDERS, { names: NAMES })
  media = await openEngineOf(MEDIA_FOLDERS)
})

afterAll(() => Promise.all([texts.close(), media.close()]))

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

  const engineOf = () => (MEDIA_ROUTES.includes(route) ? media : texts).engine

  // The reranker could do it too: which of the two is meant must be said.
  const body = CLASSIFYING.includes(route) ? { ...docs.example, model: 'classifies' } : docs.example

  test('answers its example with what its schema allows, and nothing else', async () => {
    const answer = await dispatch({ method, route: path, body }, engineOf())
    expect(answer.error?.message).toBeUndefined()
    expect(answer.status).toBe(200)
    expectShape(docs.response, await plainJson(answer.body))
  })

  test('is answered alike as a job', async () => {
    const job = { input: { openai_route: path, openai_input: body } }
    const result = await runJob(job, engineOf(), { errorStyle: 'failed' })
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
