/** RunPod's operations on jobs, as bytes. */
import { Readable } from 'node:stream'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { WORKER, encoded, submission, takeNow } from '../../../fakes/job-store.ts'
import { WORKER_COUNTS, openGateway, until, workOnce } from '../../../fakes/gateway.ts'

afterEach(() => void vi.useRealTimers())

const JSON_TYPE = 'application/json; charset=utf-8'
const PREFIXES = ['', '/v2/local']

describe.each(PREFIXES)('below "%s"', (prefix) => {
  test('run queues a job and tells its id', async () => {
    const { app, store } = openGateway()
    const policy = { executionTimeout: 5000 }
    const response = await app.inject({
      method: 'POST',
      url: `${prefix}/run`,
      payload: { input: { text: 'é' }, policy },
    })
    expect(response.statusCode).toBe(200)
    expect(response.headers['content-type']).toBe(JSON_TYPE)
    expect(response.body).toBe('{"id":"1-u1","status":"IN_QUEUE"}')
    expect(store.get('1-u1')).toMatchObject({
      input: { text: 'é' },
      sync: false,
      policy: { executionTimeout: 5000, ttl: 86_400_000 },
    })
  })

  test('runsync answers with the result', async () => {
    const { app, store } = openGateway()
    const worked = workOnce(store, (input) => ({ got: input }))
    const response = await app.inject({ method: 'POST', url: `${prefix}/runsync`, payload: { input: 7 } })
    expect(response.statusCode).toBe(200)
    expect(response.headers['content-type']).toBe(JSON_TYPE)
    expect(response.body).toBe(
      '{"delayTime":0,"executionTime":0,"id":"sync-1-u1","output":{"got":7},"status":"COMPLETED","workerId":"worker-1"}',
    )
    expect(await worked).toBe('sync-1-u1')
  })

  test.each(['GET', 'POST'] as const)('%s status tells how the job is', async (method) => {
    const { app, store } = openGateway()
    const { id } = store.submit(submission())
    const get = async () => (await app.inject({ method, url: `${prefix}/status/${id}` })).body
    expect(await get()).toBe('{"id":"1-u1","status":"IN_QUEUE"}')
    await takeNow(store)
    store.finish(id, WORKER, { error: 'no memory' })
    expect(JSON.parse(await get())).toMatchObject({ status: 'FAILED', error: 'no memory' })
  })

  test('status-sync waits for the end', async () => {
    const { app, store } = openGateway()
    const { id } = store.submit(submission())
    const response = app.inject({ url: `${prefix}/status-sync/${id}?wait=5000` })
    await workOnce(store, () => 'done')
    expect((await response).json()).toMatchObject({ id, status: 'COMPLETED', output: 'done' })
  })

  test.each(['GET', 'POST'] as const)(
    '%s stream gives chunks once, and an empty list at the end',
    async (method) => {
      const { app, store } = openGateway()
      const { id } = store.submit(submission())
      await takeNow(store)
      store.addChunk(id, Buffer.from('{"output":"a"}'))
      const read = async () => (await app.inject({ method, url: `${prefix}/stream/${id}` })).body
      expect(await read()).toBe('{"status":"IN_PROGRESS","stream":[{"output":"a"}]}')
      store.finish(id, WORKER, { output: encoded(['a']) })
      expect(await read()).toBe('{"status":"COMPLETED","stream":[]}')
    },
  )

  test('cancel ends a job, and tells the truth about one that has ended', async () => {
    const { app, store } = openGateway()
    const { id } = store.submit(submission())
    const cancel = () => app.inject({ method: 'POST', url: `${prefix}/cancel/${id}`, payload: {} })
    expect((await cancel()).body).toBe('{"id":"1-u1","status":"CANCELLED"}')
    const other = store.submit(submission())
    await workOnce(store, () => 1)
    const late = await app.inject({ method: 'POST', url: `${prefix}/cancel/${other.id}` })
    expect(late.body).toBe('{"id":"2-u1","status":"COMPLETED"}')
  })

  test('retry sends a failed job back, and no other', async () => {
    const { app, store } = openGateway()
    const { id } = store.submit(submission())
    const retry = () => app.inject({ method: 'POST', url: `${prefix}/retry/${id}` })
    const refused = await retry()
    expect(refused.statusCode).toBe(400)
    expect(refused.json()).toEqual({ error: 'job 1-u1 is IN_QUEUE; only FAILED and TIMED_OUT are retried' })
    await takeNow(store)
    store.finish(id, WORKER, { error: 'no' })
    const response = await retry()
    expect([response.statusCode, response.body]).toEqual([200, '{"id":"1-u1","status":"IN_QUEUE"}'])
    expect(store.get(id)?.status).toBe('IN_QUEUE')
  })

  test('purge-queue tells how many it removed', async () => {
    const { app, store } = openGateway()
    for (let i = 0; i < 3; i++) store.submit(submission())
    await takeNow(store)
    const response = await app.inject({ method: 'POST', url: `${prefix}/purge-queue`, payload: {} })
    expect([response.statusCode, response.body]).toEqual([200, '{"removed":2,"status":"completed"}'])
  })

  test('requests lists jobs page by page', async () => {
    const { app, store } = openGateway()
    for (let i = 0; i < 3; i++) store.submit(submission())
    const ids = async (query: string) => {
      const response = await app.inject({ url: `${prefix}/requests${query}` })
      return response.json<{ requests: { id: string }[] }>().requests.map(({ id }) => id)
    }
    expect(await ids('')).toEqual(['1-u1', '2-u1', '3-u1'])
    expect(await ids('?offset=1&limit=1')).toEqual(['2-u1'])
    expect(await ids('?offset=-5&limit=0')).toEqual(['1-u1'])
  })

  test.each([
    ['GET', 'status'],
    ['GET', 'status-sync'],
    ['GET', 'stream'],
    ['POST', 'cancel'],
    ['POST', 'retry'],
  ] as const)('%s %s of an unknown job is a 404', async (method, operation) => {
    const { app } = openGateway()
    const response = await app.inject({ method, url: `${prefix}/${operation}/nope` })
    expect(response.statusCode).toBe(404)
    expect(response.json()).toEqual({ error: 'there is no job "nope", or it is no longer known' })
  })

  test.each([
    ['GET', 'run', 'POST'],
    ['PUT', 'runsync', 'POST'],
    ['DELETE', 'status/x', 'GET, POST'],
    ['POST', 'status-sync/x', 'GET'],
    ['GET', 'cancel/x', 'POST'],
    ['GET', 'retry/x', 'POST'],
    ['GET', 'purge-queue', 'POST'],
    ['POST', 'requests', 'GET'],
  ] as const)('%s %s is a 405 that says what is allowed', async (method, path, allow) => {
    const { app } = openGateway()
    const response = await app.inject({ method, url: `${prefix}/${path}` })
    expect(response.statusCode).toBe(405)
    expect(response.headers.allow).toBe(allow)
    expect(response.json()).toEqual({ error: `${method} is not allowed here; allowed: ${allow}` })
  })

  test('HEAD reads no stream', async () => {
    const { app, store } = openGateway()
    const { id } = store.submit(submission())
    await takeNow(store)
    store.addChunk(id, Buffer.from('{"output":"a"}'))
    expect((await app.inject({ method: 'HEAD', url: `${prefix}/stream/${id}` })).statusCode).toBe(405)
    expect((await app.inject({ url: `${prefix}/stream/${id}` })).body).toContain('"a"')
  })
})

test('health counts jobs and workers, below the endpoint alone', async () => {
  const { app, store } = openGateway()
  for (let i = 0; i < 4; i++) store.submit(submission())
  await workOnce(store, () => 1)
  await takeNow(store)
  store.requeue(WORKER)
  await takeNow(store)
  expect((await app.inject({ url: '/v2/local/health' })).json()).toEqual({
    jobs: { completed: 1, failed: 0, inProgress: 1, inQueue: 2, retried: 1 },
    workers: WORKER_COUNTS,
  })
  expect((await app.inject({ url: '/health' })).statusCode).toBe(404)
})

describe('waiting', () => {
  test.each([
    { query: '', waitMs: 90_000 },
    { query: '?wait=2000', waitMs: 2000 },
    { query: '?wait=1', waitMs: 1000 },
    { query: '?wait=9999999', waitMs: 300_000 },
    { query: '?wait=soon', waitMs: 90_000 },
    { query: '?wait=', waitMs: 90_000 },
  ])('runsync$query ends after $waitMs ms with the id', async ({ query, waitMs }) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
    const { app, store } = openGateway()
    let body: string | undefined
    const response = app
      .inject({ method: 'POST', url: `/runsync${query}`, payload: { input: 1 } })
      .then((response) => (body = response.body))
    await until(() => store.counts().inQueue === 1)
    await takeNow(store)
    await vi.advanceTimersByTimeAsync(waitMs - 1)
    await new Promise((resolve) => setImmediate(resolve))
    expect(body).toBeUndefined()
    await vi.advanceTimersByTimeAsync(1)
    await response
    expect(body).toBe('{"id":"sync-1-u1","status":"IN_PROGRESS"}')
    expect(store.get('sync-1-u1')?.status).toBe('IN_PROGRESS')
  })

  test.each([
    { query: '', waitMs: 10_000 },
    { query: '?wait=60000', waitMs: 10_000 },
    { query: '?wait=0', waitMs: 1000 },
  ])('stream$query is held for $waitMs ms', async ({ query, waitMs }) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
    const { app, store } = openGateway()
    const { id } = store.submit(submission())
    let body: string | undefined
    const response = app.inject({ url: `/stream/${id}${query}` }).then((response) => (body = response.body))
    await until(() => vi.getTimerCount() === 2)
    await vi.advanceTimersByTimeAsync(waitMs - 1)
    expect(body).toBeUndefined()
    await vi.advanceTimersByTimeAsync(1)
    await response
    expect(body).toBe('{"status":"IN_QUEUE","stream":[]}')
  })

  test('a job that is gone when the wait ends is a 404', async () => {
    const { app, store, clock } = openGateway()
    const { id } = store.submit(submission())
    const response = app.inject({ url: `/status-sync/${id}` })
    await new Promise((resolve) => setImmediate(resolve))
    clock.ms += 86_400_000
    store.sweep()
    expect((await response).statusCode).toBe(404)
  })
})

test.each([
  { ttl: '20000', knownMs: 20_000 },
  { ttl: '1', knownMs: 10_000 },
  { ttl: 'long', knownMs: 1_800_000 },
])('status?ttl=$ttl keeps a result for $knownMs ms', async ({ ttl, knownMs }) => {
  const { app, store, clock } = openGateway()
  const { id } = store.submit(submission())
  await workOnce(store, () => 1)
  await app.inject({ url: `/status/${id}?ttl=${ttl}` })
  clock.ms += knownMs - 1
  store.sweep()
  expect(store.get(id)).toBeDefined()
  clock.ms += 1
  store.sweep()
  expect(store.get(id)).toBeUndefined()
})

describe('bodies', () => {
  const post = (app: ReturnType<typeof openGateway>['app'], url: string, payload: string) =>
    app.inject({ method: 'POST', url, payload, headers: { 'content-type': 'application/json' } })
  const ofSize = (bytes: number) => `{"input":"${'a'.repeat(bytes - 12)}"}`

  test.each([
    { body: '', error: 'the body is missing; it must be an object' },
    { body: '{"input":null}', error: 'input is null; it must be any JSON but null' },
    {
      body: '{"input":1,"policy":{"ttl":1}}',
      error: 'policy.ttl is 1; it must be 10000 to 604800000 (milliseconds)',
    },
    {
      body: '{"input":1,"webhook":"http://10.0.0.1:99/x"}',
      error: 'webhook names the host 10.0.0.1:99; only hosts listed in WEBHOOK_HOSTS are sent to',
    },
  ])('a wrong one is a 400: $error', async ({ body, error }) => {
    const { app, store } = openGateway()
    for (const url of ['/run', '/v2/local/runsync']) {
      const response = await post(app, url, body)
      expect(response.statusCode).toBe(400)
      expect(response.json()).toEqual({ error })
    }
    expect(store.counts().inQueue).toBe(0)
  })

  test('what is no JSON is a 400', async () => {
    const { app } = openGateway()
    const response = await post(app, '/run', '{"input":')
    expect(response.statusCode).toBe(400)
    expect(response.json<{ error: string }>().error).toMatch(/^the body is not JSON: /)
  })

  test.each([
    { url: '/run', limit: 10_000_000 },
    { url: '/runsync', limit: 20_000_000 },
    { url: '/openai/v1/embeddings', limit: 20_000_000 },
  ])('$url takes $limit bytes and no more', async ({ url, limit }) => {
    const { app, store } = openGateway()
    const response = await post(app, url, ofSize(limit + 1))
    expect(response.statusCode).toBe(413)
    expect(response.json()).toEqual({
      error: `the body has ${limit + 1} bytes; ${url} takes at most ${limit}`,
    })
    void workOnce(store, () => [1])
    expect((await post(app, url, ofSize(limit))).statusCode).toBe(200)
  })

  test('one that comes in pieces counts with its size as well', async () => {
    const { app } = openGateway({ limits: { maxQueuedBytes: 20 } })
    const response = await app.inject({
      method: 'POST',
      url: '/run',
      payload: Readable.from(['{"input":', '"12345678901"}']),
      headers: { 'content-type': 'application/json' },
    })
    expect(response.statusCode).toBe(429)
  })

  test('a full queue is a 429 that says when to come back', async () => {
    const { app } = openGateway({ limits: { maxQueuedBytes: 20 } })
    expect((await post(app, '/run', '{"input":"123456"}')).statusCode).toBe(200)
    const response = await post(app, '/run', '{"input":"123456"}')
    expect([response.statusCode, response.headers['retry-after']]).toEqual([429, '1'])
    expect(response.json<{ error: string }>().error).toMatch(/hold 18 bytes; 18 more/)
  })
})

test('one endpoint may be the only one', async () => {
  const { app } = openGateway({ endpointId: 'mine' })
  const response = await app.inject({ url: '/v2/other/health' })
  expect([response.statusCode, response.json()]).toEqual([404, { error: 'there is no endpoint "other"' }])
  expect((await app.inject({ url: '/v2/mine/health' })).statusCode).toBe(200)
})

test('a gateway may be without the routes at the root', async () => {
  const { app } = openGateway({ prefixes: ['/v2/:endpointId'] })
  expect((await app.inject({ url: '/requests' })).statusCode).toBe(404)
  expect((await app.inject({ url: '/v2/local/requests' })).statusCode).toBe(200)
})

test('the server’s key is asked for, in the gateway’s own words', async () => {
  const { app } = openGateway({ apiKey: 'secret' })
  const response = await app.inject({ url: '/v2/local/requests' })
  expect(response.statusCode).toBe(401)
  expect(response.json()).toEqual({ error: expect.stringContaining('Authorization') })
  for (const authorization of ['secret', 'Bearer secret']) {
    expect((await app.inject({ url: '/v2/local/requests', headers: { authorization } })).statusCode).toBe(200)
  }
})
