/** No endpoint without a place in the contract. */
import { expect, test } from 'vitest'
import { ENDPOINTS } from '../../../src/dialects/registry.ts'
import { plainJson } from '../../../src/base/plain-json.ts'
import { dispatch } from '../../../src/dialects/dispatch.ts'
import { openService } from './ask.ts'
import { CASES as COHERE } from './cases/cohere.ts'
import { CASES as HUGGINGFACE } from './cases/huggingface.ts'
import { CASES as MEDIA } from './cases/media.ts'
import { CASES as NATIVE } from './cases/native.ts'
import { CASES as OPENAI } from './cases/openai.ts'
import { CASES as OTHERS } from './cases/others.ts'
import { CASES as RERANK } from './cases/rerank.ts'
import { CASES as TEI } from './cases/tei.ts'
import type { DialectCase } from './dialect.case.ts'

const CASES: readonly DialectCase[] = [
  ...OPENAI,
  ...COHERE,
  ...RERANK,
  ...TEI,
  ...HUGGINGFACE,
  ...OTHERS,
  ...MEDIA,
  ...NATIVE,
]

/** They are there to say no. */
const REFUSING = ['/v1/chat/completions']

test('every endpoint that answers has a case in the contract', () => {
  const without = ENDPOINTS.filter((endpoint) => !CASES.some((dialect) => dialect.endpoint === endpoint))
  expect(without.map(({ routes }) => routes[0])).toEqual(REFUSING)
})

test('cases have names of their own', () => {
  expect(new Set(CASES.map(({ name }) => name)).size).toBe(CASES.length)
})

test('a route belongs to one endpoint, or endpoints that tell themselves apart', () => {
  for (const endpoint of ENDPOINTS) {
    for (const route of endpoint.routes) {
      const others = ENDPOINTS.filter(
        ({ routes, method, knows }) =>
          routes.includes(route) && method === endpoint.method && knows === undefined,
      )
      expect(others.length, route).toBeLessThanOrEqual(1)
    }
  }
})

const documented = ENDPOINTS.flatMap((endpoint) =>
  endpoint.docs?.example === undefined
    ? []
    : [{ ...endpoint, ...endpoint.docs, example: endpoint.docs.example }],
)

test('examples are there for what answers a POST', () => {
  expect(documented.map(({ routes }) => routes[0])).toEqual(
    ENDPOINTS.filter(
      ({ method, routes: [first = ''] }) => method === 'POST' && !REFUSING.includes(first),
    ).map(({ routes }) => routes[0]),
  )
})

test.each(documented)(
  'the example of $routes is a request, and its answer as documented',
  async (endpoint) => {
    const { routes, method, example, request, response } = endpoint
    expect(request?.safeParse(example).error).toBeUndefined()
    for (const route of routes) {
      const asked = { method, route: route.replace('*', 'Org/Model'), body: example }
      const { status, body } = await dispatch(asked, openService())
      const plain = await plainJson(body)
      expect(status).toBe(200)
      expect(response.parse(plain)).toEqual(plain)
    }
  },
)
