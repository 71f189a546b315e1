import type { InjectOptions } from 'fastify'
import { describe, expect, test } from 'vitest'
import type { ErrorCode } from '../../../../src/errors.ts'
import { ERRORS, ServerError, cancelled } from '../../../../src/errors.ts'
import type { CallOptions, EmbedResult, EmbedTask } from '../../../../src/task.ts'
import { HeldService, openFace } from '../../../fakes/http-face.ts'
import { modelInfo } from '../../../fakes/model-info.ts'
import { FakeService } from '../../../fakes/service.ts'

const EMBED = { method: 'POST', url: '/v1/embeddings', payload: { input: 'a' } } as const

/** As clients of OpenAI, Cohere and Jina look for it. */
function refusal(code: ErrorCode, message: unknown) {
  const { type, wire } = ERRORS[code]
  return { error: { message, type, param: null, code: wire }, message, detail: message }
}

describe('routes', () => {
  test.each([
    '/v1/embeddings',
    '/embeddings',
    '/v1/v1/embeddings',
    '/v1/embeddings/',
    '//v1/embeddings',
    '/v1/embeddings?input=b&api-version=%zz',
    '/v1/embeddings?',
  ])('%s embeds', async (url) => {
    const service = new FakeService()
    const { app } = openFace({ service })
    const answer = await app.inject({ ...EMBED, url })
    expect([answer.statusCode, answer.json()]).toMatchObject([
      200,
      { object: 'list', data: [{ object: 'embedding', embedding: [0.01, -0.02], index: 0 }] },
    ])
    expect(service.tasks).toMatchObject([{ texts: ['a'] }])
  })

  test.each(['/v1/models', '/models', '/models/', '/v1/models?limit=1'])(
    '%s lists the models',
    async (url) => {
      const { app } = openFace({ service: new FakeService({ models: [modelInfo({ id: 'small' })] }) })
      const answer = await app.inject(url)
      expect([answer.statusCode, answer.json()]).toMatchObject([
        200,
        { object: 'list', data: [{ id: 'small' }] },
      ])
    },
  )

  test.each(['/v1/embeddings/x', '/ping/', '/favicon.ico', '/*', '/v1/foo'])(
    '%s is not served, and those that are get listed',
    async (url) => {
      const { app } = openFace({ service: new FakeService() })
      for (const method of ['GET', 'POST', 'DELETE'] as const) {
        const answer = await app.inject({ method, url })
        const served = expect.stringContaining(`route ${url} is not served; served are /v1/embeddings, `)
        expect([answer.statusCode, answer.json()]).toEqual([404, refusal('route_not_found', served)])
      }
    },
  )

  test.each([
    ['/v2/rerank', { query: 'a', documents: ['b'] }, 'rerank'],
    ['/v2/v2/rerank', { query: 'a', documents: ['b'] }, 'rerank'],
    ['/v1/v2/rerank', { query: 'a', documents: ['b'] }, 'rerank'],
    ['/v2/embed', { texts: ['b'] }, 'embed'],
    ['//embeddings', { input: 'b' }, 'embed'],
    ['/embeddings/', { input: 'b' }, 'embed'],
    ['/', { inputs: 'b' }, 'embed'],
    ['/v1/inference/Org/Name', { queries: ['a'], documents: ['b'] }, 'rerank'],
    ['/v1/retrieval/org%2Fname/reranking', { query: { text: 'a' }, passages: [{ text: 'b' }] }, 'rerank'],
    ['/openai/deployments/Org/Name/embeddings?api-version=2024-10-21', { input: 'b' }, 'embed'],
    ['/openai/deployments/Org%2FName/embeddings', { input: 'b' }, 'embed'],
  ] as const)('%s reaches its dialect, beside RunPod’s routes too', async (url, payload, kind) => {
    for (const hasGateway of [false, true]) {
      const service = new FakeService({ models: [modelInfo()] })
      const { app } = openFace({ service, hasGateway })
      const answer = await app.inject({ method: 'POST', url, payload })
      expect(answer.statusCode).toBe(200)
      expect(service.tasks).toMatchObject([{ kind }])
    }
  })

  test.each([
    ['/v1/models/org/name', { id: 'org/name' }],
    ['/v1/models/org%2Fname', { id: 'org/name' }],
    ['/info', { model_id: 'org/name' }],
    ['/v1/cluster/auth', { auth: false }],
  ] as const)('%s is read, beside RunPod’s routes too', async (url, body) => {
    for (const hasGateway of [false, true]) {
      const service = new FakeService({ models: [modelInfo({ id: 'org/name' })] })
      const { app } = openFace({ service, hasGateway })
      const answer = await app.inject(url)
      expect([answer.statusCode, answer.json()]).toMatchObject([200, body])
    }
  })

  test('Azure’s deployments name the model, and fail with true statuses', async () => {
    const service = new FakeService()
    const { app } = openFace({ service, hasGateway: true })
    const url = '/openai/deployments/Org/Name/embeddings'
    await app.inject({ method: 'POST', url, payload: { input: 'a' } })
    expect(service.tasks).toMatchObject([{ model: 'Org/Name' }])
    expect((await app.inject({ method: 'POST', url, payload: { input: [] } })).statusCode).toBe(400)
    expect((await app.inject(url)).headers['allow']).toBe('POST')
    const chat = await app.inject({ method: 'POST', url: '/openai/deployments/x/chat/completions' })
    expect(chat.statusCode).toBe(404)
  })

  test('a path with parts of any length is one that is not served', async () => {
    const { app } = openFace({ service: new FakeService() })
    const answer = await app.inject(`/${'x'.repeat(5000)}`)
    expect([answer.statusCode, answer.body.includes('x'.repeat(200))]).toEqual([404, false])
  })
})

describe('methods', () => {
  test.each([
    ...['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'SEARCH', 'PURGE'].map(
      (method) => [method, '/v1/embeddings', 'POST'],
    ),
    ...['POST', 'DELETE', 'OPTIONS', 'LOCK'].map((method) => [method, '/models', 'GET']),
  ] as const)('%s is not possible on %s, and what is gets said', async (method, url, allowed) => {
    const service = new FakeService()
    const { app } = openFace({ service })
    // node:http knows more methods than fastify's types
    const answer = await app.inject({ method, url } as InjectOptions)
    expect([answer.statusCode, answer.headers['allow']]).toEqual([405, allowed])
    if (method === 'HEAD') expect(answer.body).toBe('')
    else expect(answer.json()).toMatchObject({ error: { code: 'method_not_allowed' } })
    expect(service.tasks).toEqual([])
  })
})

test('HEAD of what can be read is its headers', async () => {
  const { app } = openFace({ service: new FakeService() })
  const answer = await app.inject({ method: 'HEAD', url: '/models' })
  expect([answer.statusCode, answer.headers['content-type'], answer.body]).toEqual([
    200,
    'application/json',
    '',
  ])
})

describe('failures of the engine', () => {
  test.each([
    [new ServerError('overloaded', 'full', { retryAfterMs: 2500 }), 429, '3'],
    [new ServerError('model_not_found', 'no such model'), 404, undefined],
    [new ServerError('text_too_long', 'too long'), 400, undefined],
    [new ServerError('thread_died', 'died'), 500, undefined],
    [new TypeError('a bug'), 500, undefined],
  ])('have their status and what a client can do: %s', async (error, status, retryAfter) => {
    const { app } = openFace({ service: new FakeService({ error }) })
    const answer = await app.inject(EMBED)
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([status, retryAfter])
    expect(answer.json()).toMatchObject({ error: { message: error.message } })
  })
})

describe('a server that does not serve', () => {
  const FAILURE = new ServerError('model_unsupported', 'small is a model of a kind that is not supported')
  const STOPPING = refusal('stopping', 'the worker is stopping and takes no more work')

  test('because its models are being loaded says so, and when to come back', async () => {
    const { app } = openFace()
    for (const request of [EMBED, { url: '/v1/models' }, { url: '/nowhere' }]) {
      const answer = await app.inject(request)
      expect([answer.statusCode, answer.headers['retry-after'], answer.json()]).toEqual([
        503,
        '1',
        refusal('starting', 'the models are being loaded'),
      ])
    }
  })

  test('because its models are being loaded tells clients of TEI that it is busy: they would not pause on 503', async () => {
    const { app } = openFace()
    const answer = await app.inject({ method: 'POST', url: '/embed', payload: { inputs: 'a' } })
    expect([answer.statusCode, answer.headers['retry-after'], answer.headers['retry-after-ms']]).toEqual([
      429,
      '1',
      '1000',
    ])
    expect(answer.json()).toEqual({ error: 'the models are being loaded', error_type: 'Overloaded' })
  })

  test('serves once it is ready', async () => {
    const { app, lifecycle } = openFace()
    expect((await app.inject(EMBED)).statusCode).toBe(503)
    lifecycle.ready(new FakeService())
    expect((await app.inject(EMBED)).statusCode).toBe(200)
  })

  test('because it drains says so, and starts nothing', async () => {
    const service = new FakeService()
    const { app, lifecycle } = openFace({ service })
    lifecycle.drain()
    const answer = await app.inject(EMBED)
    expect([answer.statusCode, answer.json()]).toEqual([503, STOPPING])
    expect(service.tasks).toEqual([])
  })

  test('because it drains still answers what it had begun', async () => {
    const service = new HeldService()
    const { app, lifecycle } = openFace({ service })
    const answer = app.inject(EMBED)
    await service.arrived(1)
    lifecycle.drain()
    service.release()
    expect((await answer).statusCode).toBe(200)
  })

  test('because it failed says why', async () => {
    const { app, lifecycle } = openFace()
    lifecycle.fail(FAILURE)
    const answer = await app.inject(EMBED)
    expect([answer.statusCode, answer.json()]).toEqual([500, refusal('model_unsupported', FAILURE.message)])
  })

  test('because it failed after it was ready says why, and starts nothing', async () => {
    const service = new FakeService()
    const { app, lifecycle } = openFace({ service })
    lifecycle.fail(FAILURE)
    expect((await app.inject(EMBED)).json()).toMatchObject({ error: { code: 'model_unsupported' } })
    expect(service.tasks).toEqual([])
  })
})

describe('a full line', () => {
  test('refuses one more with 429, says when to come back, and answers those before', async () => {
    const service = new HeldService()
    const { app, gate } = openFace({ service, gate: { concurrency: 1, maxWaiting: 1 } })
    const [first, second] = [app.inject(EMBED), app.inject(EMBED)]
    await service.arrived(1)
    await expect.poll(() => gate.waiting).toBe(1)
    const refused = await app.inject(EMBED)
    expect([refused.statusCode, refused.headers['retry-after']]).toEqual([429, '1'])
    expect(refused.json()).toEqual(
      refusal('overloaded', expect.stringMatching(/^1 requests are in flight and 1 wait/)),
    )
    service.release()
    expect([(await first).statusCode, (await second).statusCode]).toEqual([200, 200])
  })

  test('hides nothing that takes no work', async () => {
    const service = new HeldService({ models: [modelInfo()] })
    const { app, gate } = openFace({ service, gate: { concurrency: 1, maxWaiting: 1 } })
    const asked = [app.inject(EMBED), app.inject(EMBED)]
    await service.arrived(1)
    await expect.poll(() => gate.waiting).toBe(1)
    for (const url of ['/v1/models', '/info', '/openapi.json', '/docs', '/', '/health', '/metrics']) {
      expect((await app.inject(url)).statusCode, url).toBe(200)
    }
    const tei = await app.inject({ method: 'POST', url: '/embed', payload: { inputs: 'a' } })
    expect([tei.statusCode, tei.headers['retry-after'], tei.headers['retry-after-ms']]).toEqual([
      429,
      '1',
      '1000',
    ])
    service.release()
    await Promise.all(asked)
  })

  test.each(['with', 'without'])('counts the bytes of bodies that came %s their length', async (how) => {
    const service = new HeldService()
    const { gate, listen } = openFace({ service, gate: { concurrency: 1, maxWaitingBytes: 1000 } })
    const url = `http://127.0.0.1:${await listen()}/v1/embeddings`
    const send = (size: number) => {
      const text = JSON.stringify({ input: 'x'.repeat(size) })
      const body = how === 'with' ? text : new Blob([text]).stream()
      return fetch(url, {
        method: 'POST',
        body,
        duplex: 'half',
        headers: { 'content-type': 'application/json' },
      })
    }
    const first = send(2000)
    await service.arrived(1)
    const second = send(600)
    await expect.poll(() => gate.waiting).toBe(1)
    expect((await send(600)).status).toBe(429)
    const third = send(300)
    await expect.poll(() => gate.waiting).toBe(2)
    service.release()
    for (const answer of [first, second, third]) expect((await answer).status).toBe(200)
  })
})

describe('what headers say of a request', () => {
  /** The options under which the engine was asked. */
  async function optionsOf(headers: Record<string, string>) {
    const service = new HeldService()
    service.release()
    const { app } = openFace({ service })
    const answer = await app.inject({ ...EMBED, headers })
    return { answer, options: service.started[0] }
  }

  test('x-priority is its priority, and one that is none is a mistake', async () => {
    expect((await optionsOf({ 'x-priority': 'high' })).options?.priority).toBe('high')
    expect((await optionsOf({})).options?.priority).toBeUndefined()
    const { answer, options } = await optionsOf({ 'x-priority': 'urgent' })
    expect([answer.statusCode, options]).toEqual([400, undefined])
    expect(answer.json()).toMatchObject({
      error: { message: expect.stringMatching(/^x-priority is "urgent"/) },
    })
  })

  test.each([
    [{ 'x-request-timeout': '2.5' }, 2500],
    // whole seconds, of which the fraction was left out
    [{ 'x-stainless-timeout': '600' }, 601_000],
    [{ 'x-stainless-timeout': '2147483' }, 2_147_483_000],
    [{ 'x-stainless-read-timeout': '600.0' }, 601_000],
    [{ 'x-request-timeout': '5', 'x-stainless-timeout': '600' }, 5000],
  ])('%j is the time within which it is to be answered', async (headers, ms) => {
    const { options } = await optionsOf(headers)
    expect(options?.withinMs).toBeLessThanOrEqual(ms)
    expect(options?.withinMs).toBeGreaterThan(ms - 500)
  })

  test.each([{}, { 'x-stainless-timeout': '0' }, { 'x-stainless-timeout': 'never' }])(
    '%j sets no time',
    async (headers) => {
      const { answer, options } = await optionsOf(headers)
      expect([answer.statusCode, options?.withinMs]).toEqual([200, undefined])
    },
  )

  test.each(['0', '-1', 'soon', '', '2147484', '1e3'])(
    'x-request-timeout of "%s" is a mistake',
    async (given) => {
      const { answer, options } = await optionsOf({ 'x-request-timeout': given })
      const message = `x-request-timeout is "${given}"; it must be a number of seconds, more than 0 and at most 2147483`
      expect([answer.statusCode, answer.json()]).toMatchObject([400, { error: { message } }])
      expect(options).toBeUndefined()
    },
  )

  test('a time that is up after the answer changes nothing', async () => {
    const service = new HeldService()
    service.release()
    const url = `http://127.0.0.1:${await openFace({ service }).listen()}/v1/embeddings`
    const headers = { 'content-type': 'application/json', 'x-request-timeout': '0.05' }
    const answer = await fetch(url, { method: 'POST', body: '{"input":"a"}', headers })
    await answer.text()
    await new Promise((resolve) => setTimeout(resolve, 80))
    expect([answer.status, service.started[0]?.signal?.aborted]).toEqual([200, false])
  })

  /** Fails as the engine does when its signal is aborted. */
  class PatientService extends FakeService {
    override readonly embed = (_: EmbedTask, options?: CallOptions): Promise<EmbedResult> =>
      new Promise((_resolve, reject) => {
        options?.signal?.addEventListener('abort', () => reject(cancelled()), { once: true })
      })
  }

  test('a request whose time is up leaves the engine, or the line, and says so', async () => {
    const { app, gate } = openFace({ service: new PatientService(), gate: { concurrency: 1 } })
    const headers = { 'x-request-timeout': '0.05' }
    const answers = await Promise.all([
      app.inject({ ...EMBED, headers }),
      app.inject({ ...EMBED, headers: { 'x-request-timeout': '0.04' } }),
    ])
    for (const [index, seconds] of ['0.05', '0.04'].entries()) {
      const message = `the request was to be answered within ${seconds} s and was not`
      expect([answers[index]?.statusCode, answers[index]?.json()]).toEqual([
        504,
        refusal('deadline_exceeded', message),
      ])
      expect(answers[index]?.headers['x-should-retry']).toBe('false')
    }
    expect([gate.running, gate.waiting]).toEqual([0, 0])
  })
})

describe('a client that leaves', () => {
  async function open(concurrency: number) {
    const service = new HeldService()
    const face = openFace({ service, gate: { concurrency } })
    const url = `http://127.0.0.1:${await face.listen()}/v1/embeddings`
    const ask = () => {
      const client = new AbortController()
      const options = { method: 'POST', body: '{"input":"a"}', signal: client.signal }
      const headers = { 'content-type': 'application/json' }
      const ended = fetch(url, { ...options, headers }).catch((error: unknown) => error)
      return { client, ended }
    }
    return { ...face, service, ask }
  }

  test('takes its work with it', async () => {
    const { service, ask } = await open(10)
    const [leaves, stays] = [ask(), ask()]
    await service.arrived(2)
    const signals = service.started.map((options) => options?.signal)
    expect(signals.map((signal) => signal?.aborted)).toEqual([false, false])
    leaves.client.abort()
    await expect.poll(() => signals.filter((signal) => signal?.aborted).length).toBe(1)
    service.release()
    expect(await stays.ended).toMatchObject({ status: 200 })
    await leaves.ended
  })

  test('while it stands in line never comes to its turn', async () => {
    const { service, gate, answers, ask } = await open(1)
    const first = ask()
    await service.arrived(1)
    const second = ask()
    await expect.poll(() => gate.waiting).toBe(1)
    second.client.abort()
    await expect.poll(() => gate.waiting).toBe(0)
    service.release()
    expect(await first.ended).toMatchObject({ status: 200 })
    await second.ended
    expect(service.started).toHaveLength(1)
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 499]))
  })

  test('after its answer ends nothing', async () => {
    const service = new HeldService()
    service.release()
    const { listen } = openFace({ service })
    const url = `http://127.0.0.1:${await listen()}/v1/embeddings`
    const headers = { 'content-type': 'application/json', connection: 'close' }
    const answer = await fetch(url, { method: 'POST', body: '{"input":"a"}', headers })
    await answer.text()
    expect(service.started[0]?.signal?.aborted).toBe(false)
  })
})

test('each answer is told with its route and its model, as served', async () => {
  const { app, answers, lifecycle } = openFace({ service: new FakeService() })
  await app.inject({ ...EMBED, url: '/embeddings?x=1', payload: { input: 'a', model: 'whatever' } })
  await app.inject('/models')
  await app.inject('/some/where')
  await app.inject({ ...EMBED, method: 'PUT' })
  lifecycle.drain()
  await app.inject(EMBED)
  expect(answers.map(({ status, route, model }) => ({ status, route, model }))).toEqual([
    { status: 200, route: '/v1/embeddings', model: 'served-model' },
    { status: 200, route: '/v1/models', model: undefined },
    { status: 404, route: undefined, model: undefined },
    { status: 405, route: '/v1/embeddings', model: undefined },
    { status: 503, route: '/v1/embeddings', model: undefined },
  ])
})

test('what fails before a route is reached is told as well', async () => {
  const { app, answers } = openFace({ apiKey: 'k', service: new FakeService() })
  const authorization = 'Bearer k'
  const json = { authorization, 'content-type': 'application/json' }
  await app.inject(EMBED)
  await app.inject({ ...EMBED, headers: json, payload: '{' })
  await app.inject({ ...EMBED, headers: { authorization, 'content-type': 'text/csv' } })
  await app.inject({ ...EMBED, url: '/embed', headers: json, payload: 'x'.repeat(30_000_001) })
  await app.inject({ url: '/metrics' })
  await app.inject({ url: '/%zz', headers: json })
  expect(answers.map(({ status, route }) => [status, route])).toEqual([
    [401, '/v1/embeddings'],
    [400, '/v1/embeddings'],
    [415, '/v1/embeddings'],
    [413, '/embed'],
    [401, undefined],
    [400, undefined],
  ])
})

test.each([
  [401, {}, 'false'],
  [400, { authorization: 'k', 'content-type': 'application/json' }, 'false'],
] as const)(
  'a %i that no route was reached for says that it would fail again',
  async (status, headers, retry) => {
    const { app } = openFace({ apiKey: 'k', service: new FakeService() })
    const answer = await app.inject({ ...EMBED, payload: '{', headers })
    expect([answer.statusCode, answer.headers['x-should-retry']]).toEqual([status, retry])
  },
)
