/** The door: what is asked of none of the dialects, and what is told whoever asked. */
import { describe, expect, test } from 'vitest'
import { dispatch, refuse } from '../../../src/dialects/dispatch.ts'
import { ENDPOINTS } from '../../../src/dialects/registry.ts'
import { ServerError } from '../../../src/errors.ts'
import { FakeService } from '../../fakes/service.ts'
import { errorBody, failureOf } from './error-families.ts'

const EMBED = { input: 'a' }

describe('a route that is not served', () => {
  test.each(['/nowhere', '/v1/images/generations', '/v1/embeddings/x', '/../v1/embeddings'])(
    '%s is not there, whatever the method, and those that are get listed',
    async (route) => {
      for (const method of [undefined, 'GET', 'POST', 'PUT']) {
        const service = new FakeService()
        const response = await dispatch({ method, route, body: EMBED }, service)
        const message = response.error?.message ?? ''
        expect(message.startsWith(`route ${route} is not served; served are /v1/embeddings, `)).toBe(true)
        expect(response).toMatchObject({
          status: 404,
          body: errorBody(failureOf('route_not_found'), 'object', message),
          jobOutput: 'list',
          headers: { 'x-should-retry': 'false' },
          route: undefined,
          model: undefined,
        })
        expect(service.tasks).toEqual([])
      }
    },
  )

  test('is told with every endpoint that does something', async () => {
    const { error } = await dispatch({ route: '/nowhere', body: EMBED }, new FakeService())
    for (const { routes, docs } of ENDPOINTS) {
      if (docs !== undefined) expect(error?.message).toContain(routes[0])
    }
    expect(error?.message).not.toContain('chat')
  })

  test('is told by its beginning alone', async () => {
    const { error } = await dispatch({ route: `/${'x'.repeat(5000)}`, body: EMBED }, new FakeService())
    expect(error?.message).toMatch(/^route \/x{99} is not served/)
  })
})

describe('what is there to say no', () => {
  test.each(['/v1/chat/completions', '/completions', '/v1/responses'])('%s generates', async (route) => {
    const message = 'this server embeds and reranks only'
    const response = await dispatch({ method: 'POST', route, body: { messages: [] } }, new FakeService())
    expect(response).toMatchObject({
      status: 404,
      body: errorBody(failureOf('route_not_found'), 'object', message),
    })
  })
})

test('a method that a path does not have is refused before anything is read', async () => {
  const service = new FakeService()
  const response = await dispatch({ method: 'get', route: '/embeddings?x=1', body: 5 }, service)
  expect(response).toMatchObject({
    status: 405,
    headers: { allow: 'POST' },
    error: { message: 'get is not possible on /v1/embeddings; use POST' },
  })
  expect(service.tasks).toEqual([])
})

test('HEAD is a GET whose body nobody wants', async () => {
  expect(
    await dispatch({ method: 'HEAD', route: '/v1/models', body: undefined }, new FakeService()),
  ).toMatchObject({
    status: 200,
    route: '/v1/models',
  })
  // where another endpoint of the path takes a POST
  expect(
    await dispatch({ method: 'HEAD', route: '/models/nobody', body: undefined }, new FakeService()),
  ).toMatchObject({
    status: 404,
    error: { code: 'model_not_found' },
  })
  expect(
    await dispatch({ method: 'HEAD', route: '/v1/embeddings', body: undefined }, new FakeService()),
  ).toMatchObject({ status: 405 })
})

test('a model in the path has a name that is worth an answer', async () => {
  const ask = (length: number) =>
    dispatch({ route: `/inference/${'x'.repeat(length)}`, body: { inputs: ['a'] } }, new FakeService())
  expect((await ask(256)).status).toBe(200)
  expect(await ask(257)).toMatchObject({
    status: 400,
    error: { message: 'the model in the path is 257 characters long; it must be at most 256' },
  })
})

test('a failure that nobody foresaw is the server’s, told in the dialect', async () => {
  const service = new FakeService({ error: new TypeError('a bug') })
  const response = await dispatch({ route: '/v1/embeddings', body: EMBED }, service)
  expect(response).toMatchObject({
    status: 500,
    body: errorBody(failureOf('internal'), 'object', 'a bug'),
    headers: { 'x-should-retry': 'false' },
  })
})

describe('when to come again', () => {
  test.each([
    ['overloaded', 429],
    ['starting', 503],
    ['stopping', 503],
  ] as const)('is told of %s in seconds and in milliseconds', async (code, status) => {
    for (const [retryAfterMs, seconds] of [
      [1, '1'],
      [1000, '1'],
      [1001, '2'],
      [59_999.5, '60'],
    ] as const) {
      const error = new ServerError(code, 'not now', { retryAfterMs })
      const response = await dispatch({ route: '/v1/embeddings', body: EMBED }, new FakeService({ error }))
      expect(response).toMatchObject({ status, error })
      expect(response.headers).toEqual({
        'retry-after': seconds,
        'retry-after-ms': String(Math.ceil(retryAfterMs)),
      })
    }
  })

  test('is a second where nobody can tell', async () => {
    const service = new FakeService({ error: new ServerError('overloaded', 'full') })
    const { headers } = await dispatch({ route: '/v1/embeddings', body: EMBED }, service)
    expect(headers).toEqual({ 'retry-after': '1', 'retry-after-ms': '1000' })
  })

  test('is said of no failure that a retry may mend at once', async () => {
    const service = new FakeService({ error: new ServerError('thread_died', 'oh') })
    expect((await dispatch({ route: '/v1/embeddings', body: EMBED }, service)).headers).toEqual({})
  })
})

describe('a refusal', () => {
  const error = new ServerError('starting', 'the models are being loaded', { retryAfterMs: 2000 })
  const headers = { 'retry-after': '2', 'retry-after-ms': '2000' }

  test.each([
    ['/v1/embeddings?x=1', 503, 'object', '/v1/embeddings'],
    ['models', 503, 'object', '/v1/models'],
    ['/embed', 429, 'tei', '/embed'],
    ['/inference/Org/Model', 503, 'deepinfra', '/v1/inference/*'],
    ['/nowhere', 503, 'object', undefined],
  ] as const)('of %s is told in its dialect', (asked, status, family, route) => {
    const body = errorBody(failureOf('starting'), family, error.message)
    expect(refuse({ route: asked, body: undefined }, error)).toMatchObject({
      status,
      body,
      error,
      headers,
      route,
    })
  })

  test('of a request that has not said what it wants is for clients of objects', () => {
    const body = errorBody(failureOf('starting'), 'object', error.message)
    expect(refuse(undefined, error)).toMatchObject({ status: 503, body, headers, route: undefined })
  })

  test('of a request to /rerank is told in the dialect of its body', () => {
    const tei = { method: 'POST', route: '/rerank', body: { query: 'q', texts: ['a'] } }
    expect(refuse(tei, error)).toMatchObject({
      status: 429,
      body: errorBody(failureOf('starting'), 'tei', error.message),
    })
  })

  test('for its method says which one is possible', () => {
    const wrong = new ServerError('method_not_allowed', 'no')
    expect(refuse({ route: '/v1/models', body: undefined }, wrong)).toMatchObject({
      status: 405,
      headers: { allow: 'GET' },
    })
    expect(refuse({ route: '/nowhere', body: undefined }, wrong).headers).not.toHaveProperty('allow')
  })
})

test('what is told of an answer is the route and the model as they are served', async () => {
  const body = { input: 'a', model: 'what-a-client-wrote' }
  expect(await dispatch({ route: '//embeddings/?a=1', body }, new FakeService())).toMatchObject({
    route: '/v1/embeddings',
    model: 'served-model',
  })
  const job = { query: 'q', docs: ['a'], model: 'what-a-client-wrote' }
  expect(await dispatch({ route: undefined, body: job }, new FakeService())).toMatchObject({
    route: 'job',
    model: 'served-model',
  })
})

test('the signal of a request reaches the engine', async () => {
  const { signal } = new AbortController()
  for (const [route, body] of [
    ['/v1/embeddings', EMBED],
    ['/rerank', { query: 'q', documents: ['a'] }],
    ['/predict', { inputs: 'a' }],
    ['/embed_all', { inputs: 'a' }],
    ['/similarity', { inputs: { source_sentence: 'a', sentences: ['b'] } }],
    ['/inference/m', { queries: ['q'], documents: ['a'] }],
    ['/score', { text_1: 'a', text_2: 'b' }],
    [undefined, EMBED],
  ] as const) {
    const service = new FakeService()
    await dispatch({ route, body }, service, { signal })
    expect(service.signals, route).toEqual([signal])
  }
})
