/** Strange requests to models that compute: mistakes are the client's, and the next request is answered. */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { encodeJson } from '../../src/base/encode-json.ts'
import { dispatch } from '../../src/dialects/dispatch.ts'
import { findEndpoint } from '../../src/dialects/find-endpoint.ts'
import { ENDPOINTS } from '../../src/dialects/registry.ts'
import { FAMILIES, isErrorBody } from '../unit/dialects/error-families.ts'
import { strangeBodies } from '../unit/dialects/strange-bodies.ts'
import type { OpenedEngine } from './open-engine.ts'
import { MEDIA_FOLDERS, MEDIA_ROUTES, openEngineOf } from './open-engine.ts'

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

let texts: OpenedEngine
let media: OpenedEngine

beforeAll(async () => {
  const folders = [
    'bert/bert-mean-normalize',
    'bert/bert-cross-encoder',
    'bert/bert-cross-encoder-3-labels',
    'sparse/sparse-bert-max',
    'multi_vector/multi-vector-bert',
  ]
  texts = await openEngineOf(folders, { tokenInput: 'native' })
  media = await openEngineOf(MEDIA_FOLDERS, { tokenInput: 'native' })
})

afterAll(() => Promise.all([texts.close(), media.close()]))

/** What an example needs where these models are served: classifiers are two, and ids few. */
const ALSO: Readonly<Record<string, object>> = {
  '/predict': { model: 'bert/bert-cross-encoder-3-labels' },
  '/classify': { model: 'bert/bert-cross-encoder-3-labels' },
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
  const { engine } = MEDIA_ROUTES.includes(route) ? media : texts
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
