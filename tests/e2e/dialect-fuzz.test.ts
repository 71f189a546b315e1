/** Strange requests to models that compute: mistakes are the client's, and the next request is answered. */
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { encodeJson } from '../../src/base/encode-json.ts'
import { dispatch } from '../../src/dialects/dispatch.ts'
import { findEndpoint } from '../../src/dialects/find-endpoint.ts'
import { ENDPOINTS } from '../../src/dialects/registry.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { openEngine } from '../../src/engine/engine.ts'
import type { OpenModel } from '../open-model.ts'
import { openModel } from '../open-model.ts'
import { FAMILIES, isErrorBody } from '../unit/dialects/error-families.ts'
import { strangeBodies } from '../unit/dialects/strange-bodies.ts'

const GOLDEN = join(import.meta.dirname, '../golden/bert')
const RUNS = 100

const FIELDS = [
  'model',
  'inputs',
  'query',
  'queries',
  'documents',
  'dimensions',
  'encoding_format',
  'normalize',
  'late_chunking',
  'truncate',
  'truncation_side',
  'max_tokens',
  'max_tokens_per_doc',
  'max_tokens_per_query',
  'prompt',
  'prompt_name',
  'task',
  'instruction',
  'token_vocab',
  'raw_scores',
  'top_n',
  'top_k',
  'return_documents',
  'add_special_tokens',
  'parameters',
]

let models: readonly OpenModel[] = []
let engine: Engine

beforeAll(async () => {
  const folders = [
    'bert-mean-normalize',
    'bert-cross-encoder',
    'bert-cross-encoder-3-labels',
    '../sparse/sparse-bert-max',
    '../multi_vector/multi-vector-bert',
  ]
  models = await Promise.all(folders.map((name) => openModel(join(GOLDEN, name, 'model'))))
  const loaded = models.map(({ spec, runner, tokenizer }, index) => ({
    spec,
    runner,
    tokenizer,
    names: [folders[index] ?? ''] as const,
    batchSize: 32,
    maxBatchTokens: 512,
    dtypeRequested: 'auto',
  }))
  engine = openEngine(loaded, { queueSize: 48_000, tokenInput: 'native', cl100k: async () => [] })
})

afterAll(() => Promise.all(models.map((model) => model.close())))

/** What an example needs where these models are served: classifiers are two, and ids few. */
const ALSO: Readonly<Record<string, object>> = {
  '/predict': { model: 'bert-cross-encoder-3-labels' },
  '/classify': { model: 'bert-cross-encoder-3-labels' },
  '/decode': { ids: [2, 131, 207, 3] },
}

const ROUTES = ENDPOINTS.flatMap(({ routes: [name = ''], method, docs }) => {
  if (docs?.example === undefined) return []
  const route = name.replace('*', 'any')
  return [
    {
      route,
      method,
      families: FAMILIES[name] ?? ['object' as const],
      example: { ...docs.example, ...ALSO[name] },
    },
  ]
})

test.each(ROUTES)('$route', async ({ route, method, example, families }) => {
  const answer = (body: unknown) => dispatch({ method, route, body }, engine)
  await fc.assert(
    fc.asyncProperty(strangeBodies({ example, fields: FIELDS }), async (body) => {
      const { status, body: shown, error } = await answer(body)
      expect(status, error?.message).toBeLessThan(500)
      const plain: unknown = JSON.parse((await encodeJson(shown)).toString())
      if (status === 200) {
        const docs = findEndpoint(ENDPOINTS, { method, route, body })?.endpoint.docs
        expect(docs?.response.parse(plain)).toEqual(plain)
      } else
        expect(
          families.some((family) => isErrorBody(plain, family)),
          JSON.stringify(plain),
        ).toBe(true)
    }),
    { numRuns: RUNS },
  )
  expect((await answer(example)).error).toBeUndefined()
})
