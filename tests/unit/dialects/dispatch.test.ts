import { describe, expect, test } from 'vitest'
import { dispatch, refuse } from '../../../src/dialects/dispatch.ts'
import { ServerError } from '../../../src/errors.ts'
import { FakeService } from '../../fakes/service.ts'

const EMBED = { input: 'a' }

describe('routes', () => {
  test.each([
    '/v1/embeddings',
    '/embeddings',
    'embeddings',
    'v1/embeddings',
    '/v1/embeddings/',
    '//v1//embeddings',
    '/v1/v1/embeddings',
    '/v1/v1/v1/embeddings',
    '/v1/embeddings?api-version=2024-10-21',
  ])('%s embeds', async (route) => {
    const service = new FakeService()
    const response = await dispatch({ route, body: EMBED }, service)
    expect(response).toMatchObject({ status: 200, body: { object: 'list' }, jobOutput: 'list' })
    expect(response.error).toBeUndefined()
    expect(service.tasks).toMatchObject([{ kind: 'embed', texts: ['a'] }])
  })

  test.each(['/v1/models', '/models', 'models', '/v1/models/', '/v1//v1/models', '/models?limit=5'])(
    '%s lists models, shown as they are in a job',
    async (route) => {
      const response = await dispatch({ route, body: undefined }, new FakeService())
      expect(response).toEqual({
        status: 200,
        body: { object: 'list', data: [] },
        jobOutput: 'bare',
        headers: {},
        route: '/v1/models',
        model: undefined,
      })
    },
  )

  test.each([
    '/v1/chat/completions',
    '/',
    '',
    '/v1',
    '/v2/embeddings',
    '/v1/embeddings/x',
    '/V1/Embeddings',
    '/v1/models/small',
    '/embeddings/v1',
  ])('"%s" is not served, and those that are get listed', async (route) => {
    const service = new FakeService()
    const message = `route ${route} is not served; served are /v1/embeddings, /v1/models`
    expect(await dispatch({ route, body: EMBED }, service)).toEqual({
      status: 404,
      body: { error: { message, type: 'invalid_request_error', param: null, code: 'route_not_found' } },
      jobOutput: 'list',
      error: expect.objectContaining({ code: 'route_not_found', message }),
      headers: {},
      route: undefined,
      model: undefined,
    })
    expect(service.tasks).toEqual([])
  })

  test('of a route that is not served only the beginning is told', async () => {
    const { error } = await dispatch({ route: `/${'x'.repeat(5000)}`, body: EMBED }, new FakeService())
    expect(error?.message.length).toBeLessThan(200)
  })
})

describe('methods', () => {
  test.each([
    ['GET', '/v1/embeddings', 'POST'],
    ['HEAD', '/embeddings', 'POST'],
    ['post', '/v1/embeddings?x=1', 'POST'],
    ['POST', '/v1/models', 'GET'],
    ['DELETE', '/models/', 'GET'],
  ])('%s is not possible on %s, which says what is', async (method, route, allowed) => {
    const service = new FakeService()
    const response = await dispatch({ method, route, body: EMBED }, service)
    const served = allowed === 'POST' ? '/v1/embeddings' : '/v1/models'
    const message = `${method} is not possible on ${served}; use ${allowed}`
    expect(response).toMatchObject({
      status: 405,
      body: { error: { message, type: 'invalid_request_error', param: null, code: 'method_not_allowed' } },
      headers: { allow: allowed },
      route: served,
    })
    expect(service.tasks).toEqual([])
  })

  test.each([
    ['POST', '/v1/embeddings'],
    ['GET', '/v1/models'],
    [undefined, '/v1/embeddings'],
    [undefined, '/v1/models'],
  ])('%s does on %s', async (method, route) => {
    expect(await dispatch({ method, route, body: EMBED }, new FakeService())).toMatchObject({ status: 200 })
  })

  test('a route that is not served is not there, whatever the method', async () => {
    const response = await dispatch({ method: 'PUT', route: '/nowhere', body: EMBED }, new FakeService())
    expect(response).toMatchObject({ status: 404, headers: {} })
  })
})

describe('what is told of an answer', () => {
  test('is the route as it is served and the model that did the work, not as the client spelt them', async () => {
    const service = new FakeService({ model: 'served-model' })
    const body = { input: 'a', model: 'what-a-client-wrote' }
    expect(await dispatch({ route: '//embeddings/?a=1', body }, service)).toMatchObject({
      route: '/v1/embeddings',
      model: 'served-model',
    })
    const job = { query: 'q', docs: ['a'], model: 'what-a-client-wrote' }
    expect(await dispatch({ route: undefined, body: job }, service)).toMatchObject({
      route: 'job',
      model: 'served-model',
    })
  })

  test('is no model where none did any work', async () => {
    const service = new FakeService({ error: new ServerError('model_not_found', 'no such model') })
    const response = await dispatch({ route: '/v1/embeddings', body: { input: 'a', model: 'x' } }, service)
    expect(response).toMatchObject({ route: '/v1/embeddings', model: undefined })
  })
})

describe('failures', () => {
  test.each([
    [new ServerError('overloaded', 'full'), 429, 'overloaded', 'rate_limit_error'],
    [new ServerError('model_not_found', 'no such model'), 404, 'model_not_found', 'invalid_request_error'],
    [new ServerError('request_too_large', 'too many'), 413, 'request_too_large', 'invalid_request_error'],
    [new ServerError('text_too_long', 'too long'), 400, 'text_too_long', 'invalid_request_error'],
    [new ServerError('non_finite_output', 'NaN'), 500, 'non_finite_output', 'server_error'],
    [new ServerError('stopping', 'good night'), 503, 'stopping', 'server_error'],
    [new TypeError('a bug'), 500, 'internal', 'server_error'],
  ])('of a route are told in its dialect, with a status: %s', async (thrown, status, code, type) => {
    const response = await dispatch(
      { route: '/v1/embeddings', body: EMBED },
      new FakeService({ error: thrown }),
    )
    const { message } = thrown
    expect(response).toMatchObject({ status, error: { code, message } })
    expect(response.body).toEqual({ error: { message, type, param: null, code } })
  })

  test('of a job without a route have a status and no body', async () => {
    const error = new ServerError('overloaded', 'full')
    const response = await dispatch({ route: undefined, body: EMBED }, new FakeService({ error }))
    expect(response).toMatchObject({ status: 429, body: undefined, jobOutput: 'bare', error })
  })

  test.each([
    [1, '1'],
    [1000, '1'],
    [1001, '2'],
    [59_999.5, '60'],
  ])('say after how many whole seconds a retry may succeed: %f ms is %s', async (retryAfterMs, seconds) => {
    const error = new ServerError('overloaded', 'full', { retryAfterMs })
    const response = await dispatch({ route: '/v1/embeddings', body: EMBED }, new FakeService({ error }))
    expect(response).toMatchObject({ error, headers: { 'retry-after': seconds } })
  })

  test('say nothing of a retry where that cannot be told', async () => {
    const error = new ServerError('overloaded', 'full')
    const response = await dispatch({ route: '/v1/embeddings', body: EMBED }, new FakeService({ error }))
    expect(response.headers).toEqual({})
  })
})

describe('a refusal', () => {
  const error = new ServerError('starting', 'the models are being loaded', { retryAfterMs: 1000 })
  const body = {
    error: { message: 'the models are being loaded', type: 'server_error', param: null, code: 'starting' },
  }

  test.each([
    ['/v1/embeddings?x=1', '/v1/embeddings', 'list'],
    ['models', '/v1/models', 'bare'],
    ['/nowhere', undefined, 'list'],
  ])('of %s is an answer like any other failure', (asked, route, jobOutput) => {
    const headers = { 'retry-after': '1' }
    expect(refuse(asked, error)).toEqual({ status: 503, body, jobOutput, error, headers, route })
  })

  test('for its method says which one is possible', () => {
    const wrong = new ServerError('method_not_allowed', 'no')
    expect(refuse('/models', wrong)).toMatchObject({ status: 405, headers: { allow: 'GET' } })
    expect(refuse('/nowhere', wrong)).toMatchObject({ status: 405, headers: {} })
  })
})
