/** Whatever is sent, an endpoint answers in its own words, and never blames itself. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeJson } from '../../../src/base/encode-json.ts'
import { dispatch } from '../../../src/dialects/dispatch.ts'
import { findEndpoint } from '../../../src/dialects/find-endpoint.ts'
import { CLASSIFY_FIELDS } from '../../../src/dialects/requests/classify-request.ts'
import { EMBED_FIELDS } from '../../../src/dialects/requests/embed-request.ts'
import { RERANK_FIELDS } from '../../../src/dialects/requests/rerank-request.ts'
import { ENDPOINTS } from '../../../src/dialects/registry.ts'
import { runJob } from '../../../src/transports/runpod/job.ts'
import { openService } from './ask.ts'
import { FAMILIES, isErrorBody } from './error-families.ts'
import { strangeBodies } from './strange-bodies.ts'

const RUNS = 300

const CONTENTS =
  'input inputs texts text sentences documents docs passages images ids text_1 text_2 parameters openai_route'
const FIELDS = Object.keys({
  ...EMBED_FIELDS,
  ...RERANK_FIELDS,
  ...CLASSIFY_FIELDS,
  add_special_tokens: true,
  skip_special_tokens: true,
}).concat(CONTENTS.split(' '))

const ROUTES = ENDPOINTS.flatMap(({ routes, method, docs }) =>
  routes.map((route) => ({ route, method, example: docs?.example ?? { input: 'a' } })),
)

test.each(ROUTES)('$method $route', async ({ route, method, example }) => {
  const families = FAMILIES[route] ?? ['object']
  const path = route.replace('*', 'Org/Model')
  await fc.assert(
    fc.asyncProperty(strangeBodies({ example, fields: FIELDS }), async (body) => {
      const response = await dispatch({ method, route: path, body }, openService())
      expect(response.status).toBeLessThan(500)
      expect([200, 400, 404]).toContain(response.status)
      const text = (await encodeJson(response.body)).toString()
      if (response.status === 200) {
        expect(response.error).toBeUndefined()
        for (const key of ['error', 'detail', 'message']) expect(JSON.parse(text)).not.toHaveProperty(key)
        // what a schema does not declare it drops
        const docs = findEndpoint(ENDPOINTS, { method, route: path, body })?.endpoint.docs
        expect(docs?.response.parse(JSON.parse(text))).toEqual(JSON.parse(text))
      } else {
        expect(response.error?.message.length).toBeLessThan(2000)
        expect(
          families.some((family) => isErrorBody(JSON.parse(text), family)),
          text,
        ).toBe(true)
      }
      for (const value of Object.values(response.headers)) expect(value).toMatch(/^[\x20-\x7e]*$/)
    }),
    { numRuns: RUNS },
  )
})

test.each([
  ['a job that embeds', { input: ['a', 'b'] }],
  ['a job that reranks', { query: 'q', docs: ['a', 'b'], return_docs: true }],
  ['a job that classifies', { task: 'classify', input: ['a'] }],
  ['a job with a route', { openai_route: '/v1/rerank', openai_input: { query: 'q', documents: ['a'] } }],
])('%s', async (_, example) => {
  const job = fc.oneof(
    strangeBodies({ example, fields: FIELDS }).map((input) => ({ id: 'j', input })),
    strangeBodies({ example: { id: 'j', input: example }, fields: FIELDS }),
  )
  await fc.assert(
    fc.asyncProperty(job, async (asked) => {
      const told: (number | undefined)[] = []
      const result = await runJob(asked, openService(), {
        errorStyle: 'failed',
        onAnswer: ({ status }) => told.push(status),
      })
      expect(told.every((status) => status !== undefined && status < 500)).toBe(true)
      if ('error' in result) expect(typeof result.error).toBe('string')
      else expect(typeof result.output).toBe('object')
    }),
    { numRuns: RUNS },
  )
})

test('a path that is strange as well', async () => {
  const path = fc
    .tuple(fc.constantFrom(...ROUTES), fc.string({ unit: 'binary' }))
    .map(([{ route, method }, name]) => ({
      method,
      route: route.replace('*', name),
    }))
  await fc.assert(
    fc.asyncProperty(path, oneExample(), async ({ method, route }, body) => {
      const { status, headers } = await dispatch({ method, route, body }, openService({ model: route }))
      expect(status).toBeLessThan(500)
      for (const value of Object.values(headers)) expect(value).toMatch(/^[\x20-\x7e]*$/)
    }),
    { numRuns: 1000 },
  )
})

function oneExample(): fc.Arbitrary<object> {
  return fc.constantFrom(...ROUTES.map(({ example }) => example))
}
