import { describe, expect, test } from 'vitest'
import { dispatch } from '../../../src/dialects/dispatch.ts'
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
      expect(response).toEqual({ status: 200, body: { object: 'list', data: [] }, jobOutput: 'bare' })
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
    })
    expect(service.tasks).toEqual([])
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
    expect(response).toEqual({ status: 429, body: undefined, jobOutput: 'bare', error })
  })

  test('keep the time after which a retry may succeed', async () => {
    const error = new ServerError('overloaded', 'full', { retryAfterMs: 1500 })
    const response = await dispatch({ route: '/v1/embeddings', body: EMBED }, new FakeService({ error }))
    expect(response.error?.retryAfterMs).toBe(1500)
  })
})
