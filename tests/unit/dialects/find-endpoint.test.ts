/** Which endpoint a path means, however its client joined it. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { findEndpoint } from '../../../src/dialects/find-endpoint.ts'
import { ENDPOINTS } from '../../../src/dialects/registry.ts'

function find(route: string, { method, body = {} }: { method?: string; body?: unknown } = {}) {
  const match = findEndpoint(ENDPOINTS, { method, route, body })
  return match && [match.endpoint.routes[0], match.pathModel]
}

/** Each route with a method, and a body that its endpoint knows. */
const ROUTES = ENDPOINTS.flatMap(({ routes, method, knows, docs }) =>
  routes.map((route) => ({
    route,
    method,
    body: knows === undefined ? {} : docs?.example,
    name: routes[0],
  })),
)

function unversioned(route: string): string {
  return route.replace(/^\/v\d(?=\/)/, '')
}

describe('a route is found', () => {
  test.each(ROUTES)('$method $route as it is spelt', ({ route, method, body, name }) => {
    const path = route.replace('*', 'Org/Model')
    const model = route.includes('*') ? 'Org/Model' : undefined
    expect(find(path, { method, body })).toEqual([name, model])
  })

  // Of a path that another endpoint has without its version, the version tells.
  const alone = ROUTES.filter(
    ({ route, method }) =>
      ROUTES.filter((other) => unversioned(other.route) === unversioned(route) && other.method === method)
        .length === 1,
  )

  test('whatever versions lead, slashes are doubled or trail, or a query follows', () => {
    expect(alone.length).toBeGreaterThan(25)
    const slash = fc.constantFrom('/', '//', '///')
    fc.assert(
      fc.property(
        fc.constantFrom(...alone),
        fc.array(fc.constantFrom('v1', 'v2'), { maxLength: 3 }),
        fc.array(slash, { minLength: 12, maxLength: 12 }),
        fc.constantFrom('', '/', '//'),
        fc.constantFrom('', '?', '?api-version=2024-10-21', '?a=/v1/models'),
        ({ route, method, name, body }, versions, slashes, end, query) => {
          const parts = [...versions, ...unversioned(route).replace('*', 'Org/Model').split('/')]
          const path = parts
            .filter((part) => part !== '')
            .map((part, index) => slashes[index] + part)
            .join('')
          const model = route.includes('*') ? 'Org/Model' : undefined
          expect(find(path + end + query, { method, body }), path).toEqual([name, model])
        },
      ),
      { numRuns: 400 },
    )
  })

  test('without a slash before it', () => {
    expect(find('v1/embeddings')).toEqual(['/v1/embeddings', undefined])
    expect(find('embeddings')).toEqual(['/v1/embeddings', undefined])
  })
})

describe('the last version is the dialect', () => {
  test.each([
    ['/v1/rerank', '/v1/rerank'],
    ['/v2/rerank', '/v2/rerank'],
    ['/v1/v1/rerank', '/v1/rerank'],
    ['/v2/v2/rerank', '/v2/rerank'],
    ['/v1/v2/rerank', '/v2/rerank'],
    ['/v2/v1/rerank', '/v1/rerank'],
    ['/rerank', '/rerank'],
    ['/v1/embed', '/v1/embed'],
    ['/v2/embed', '/v2/embed'],
    ['/embed', '/embed'],
    ['/v2/embeddings', '/v1/embeddings'],
    ['/v2/reranks', '/v1/rerank'],
    ['/v1/classify', '/classify'],
    ['/v1/info', '/info'],
  ])('of %s: %s', (path, route) => {
    expect(find(path)?.[0]).toBe(route)
  })
})

describe('what stands for a star is a model', () => {
  test.each([
    ['GET', '/v1/models/Org/Model', '/v1/models/*', 'Org/Model'],
    ['GET', '/models/Org%2FModel/', '/v1/models/*', 'Org/Model'],
    ['GET', '/v1/models/a%20b', '/v1/models/*', 'a b'],
    ['GET', '/v1/models/%E0%A4%A', '/v1/models/*', '%E0%A4%A'],
    ['GET', '/v1/models/v1/models', '/v1/models/*', 'v1/models'],
    ['POST', '/models/Org/Model', '/', 'Org/Model'],
    ['POST', '/v1/inference/a/b/c', '/v1/inference/*', 'a/b/c'],
    ['POST', '/openai/deployments/mine/embeddings', '/openai/deployments/*/embeddings', 'mine'],
    ['POST', '/openai/deployments/a%2Fb/embeddings?x=1', '/openai/deployments/*/embeddings', 'a/b'],
    ['POST', '/deployments/a/embeddings/embeddings', '/openai/deployments/*/embeddings', 'a/embeddings'],
    ['POST', '/retrieval/nvidia/m/reranking', '/v1/ranking', 'nvidia/m'],
    ['GET', '/info/Org/Model', '/info', 'Org/Model'],
    ['POST', '/pipeline/feature-extraction/Org/Model', '/', 'Org/Model'],
  ])('%s %s', (method, path, route, model) => {
    expect(find(path, { method })).toEqual([route, model])
  })

  test('never nothing', () => {
    expect(find('/v1/inference/')).toBeUndefined()
    expect(find('/openai/deployments/embeddings')).toBeUndefined()
    expect(find('/v1/retrieval/reranking')).toBeUndefined()
  })
})

describe('endpoints of one path are told apart', () => {
  test.each([
    [{ query: 'q', texts: ['a'] }, 'list'],
    [{ query: 'q', texts: ['a'], documents: null }, 'list'],
    [{ query: 'q', texts: [] }, 'list'],
    [{ query: 'q', documents: ['a'] }, 'object'],
    [{ query: 'q', documents: ['a'], texts: ['b'] }, 'object'],
    [{ query: 'q', docs: ['a'], texts: null }, 'object'],
    [{}, 'object'],
    [undefined, 'object'],
    [['texts'], 'object'],
  ])('/rerank by its body: %j is answered by a %s', (body, answer) => {
    const summary = findEndpoint(ENDPOINTS, { route: '/rerank', body })?.endpoint.docs?.summary
    expect(summary?.includes('a list, best first')).toBe(answer === 'list')
  })

  test('/models/x by its method', () => {
    expect(find('/models/x', { method: 'GET' })).toEqual(['/v1/models/*', 'x'])
    expect(find('/models/x', { method: 'POST' })).toEqual(['/', 'x'])
    expect(find('/v1/models/x', { method: 'POST' })).toEqual(['/', 'x'])
  })

  test('with a method that none has, the first is found, to say so', () => {
    expect(find('/v1/embeddings', { method: 'GET' })).toEqual(['/v1/embeddings', undefined])
    expect(find('/v1/models', { method: 'DELETE' })).toEqual(['/v1/models', undefined])
  })
})

describe('what is not served is not found', () => {
  test.each([
    '/v1/embeddings/x',
    '/V1/Embeddings',
    '/embeddings/v1',
    '/v3/embeddings',
    '/v1/images/generations',
    '/nowhere',
    '/v1/rerank/x',
    '/openai',
    '/%65mbeddings',
    '/../v1/embeddings',
    '/tokenize/x',
    '/constructor',
    '/__proto__',
  ])('%s', (path) => {
    expect(find(path)).toBeUndefined()
  })

  test('any path at all is found or not, and nothing is thrown', () => {
    const part = fc.oneof(
      fc.constantFrom('v1', 'v2', 'models', 'info', 'inference', '', '*', '%', '%2F', '..', '?', '#'),
      fc.string({ unit: 'binary' }),
    )
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), fc.string(), (parts, method) => {
        const match = findEndpoint(ENDPOINTS, { method, route: parts.join('/'), body: undefined })
        if (match !== undefined) expect(ENDPOINTS).toContain(match.endpoint)
      }),
      { numRuns: 500 },
    )
  })
})
