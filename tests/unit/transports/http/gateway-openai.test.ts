/** OpenAI's routes as jobs, and what becomes of a job whose client leaves. */
import { request } from 'node:http'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { WORKER, encoded, submission, takeNow } from '../../../fakes/job-store.ts'
import type { FakeGateway } from '../../../fakes/gateway.ts'
import { listenAnywhere, openGateway, until, workOnce } from '../../../fakes/gateway.ts'

afterEach(() => void vi.useRealTimers())

describe.each(['/openai', '/v2/local/openai'])('below "%s"', (prefix) => {
  test('a POST becomes a job, its one element the answer', async () => {
    const { app, store } = openGateway()
    const inputs: unknown[] = []
    void workOnce(store, (input) => [{ object: 'list', got: inputs.push(input) }])
    const response = await app.inject({
      method: 'POST',
      url: `${prefix}/v1/embeddings?x=1`,
      payload: { model: 'm', input: ['a'] },
    })
    expect(inputs).toEqual([{ openai_route: '/v1/embeddings', openai_input: { model: 'm', input: ['a'] } }])
    expect([response.statusCode, response.body]).toEqual([200, '{"object":"list","got":1}'])
    expect(response.headers['content-type']).toBe('application/json; charset=utf-8')
  })

  test('a GET becomes a job without a body', async () => {
    const { app, store } = openGateway()
    const inputs: unknown[] = []
    void workOnce(store, (input) => ({ got: inputs.push(input) }))
    const response = await app.inject({ url: `${prefix}/v1/models/org%2Fname` })
    expect(inputs).toEqual([{ openai_route: '/v1/models/org/name' }])
    expect([response.statusCode, response.body]).toEqual([200, '{"got":1}'])
  })
})

test('a job that fails is a 500 with its error', async () => {
  const { app, store } = openGateway()
  const response = app.inject({ method: 'POST', url: '/openai/v1/embeddings', payload: {} })
  await until(() => store.counts().inQueue === 1)
  const [job] = await takeNow(store)
  store.finish(job?.id ?? '', WORKER, { error: 'no memory' })
  expect((await response).statusCode).toBe(500)
  expect((await response).json()).toEqual({ error: 'no memory' })
})

test.each([true, false])(
  'after five minutes it is a 504, not to be tried again; cancelled: %s',
  async (cancelOnDisconnect) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
    const { app, store } = openGateway({ cancelOnDisconnect })
    const response = app.inject({ method: 'POST', url: '/openai/v1/embeddings', payload: {} })
    await until(() => store.counts().inQueue === 1)
    await vi.advanceTimersByTimeAsync(300_000)
    expect((await response).statusCode).toBe(504)
    expect((await response).headers['x-should-retry']).toBe('false')
    expect((await response).json()).toEqual({ error: 'the job did not end within 300 seconds' })
    expect(store.get('sync-1-u1')?.status).toBe(cancelOnDisconnect ? 'CANCELLED' : 'IN_QUEUE')
  },
)

/** Sends a request, and leaves once the store has it. */
async function leave(gateway: FakeGateway, method: string, path: string, hasArrived: () => boolean) {
  const closed = Promise.withResolvers<void>()
  gateway.app.server.on('connection', (socket) => socket.once('close', () => closed.resolve()))
  const url = `${await listenAnywhere(gateway)}${path}`
  const client = request(url, { method, headers: { 'content-type': 'application/json' } })
  client.on('error', () => {})
  client.end(method === 'POST' ? '{"input":1}' : undefined)
  await until(hasArrived)
  client.destroy()
  await closed.promise
}

describe.each(['/runsync', '/openai/v1/embeddings'])('a client of %s that leaves', (path) => {
  test('ends the job where nobody else can ask for it', async () => {
    const gateway = openGateway()
    await leave(gateway, 'POST', path, () => gateway.store.counts().inQueue === 1)
    await until(() => gateway.store.get('sync-1-u1')?.status === 'CANCELLED')
    expect(gateway.store.counts().inQueue).toBe(0)
  })

  test('lets it run on a gateway like the platform’s', async () => {
    const gateway = openGateway({ cancelOnDisconnect: false })
    await leave(gateway, 'POST', path, () => gateway.store.counts().inQueue === 1)
    const worked = workOnce(gateway.store, () => [1])
    expect(await worked).toBe('sync-1-u1')
    expect(gateway.store.get('sync-1-u1')).toMatchObject({ status: 'COMPLETED', output: encoded([1]) })
  })
})

test('a reader of a stream that leaves takes no chunk along', async () => {
  const gateway = openGateway()
  const { store } = gateway
  const { id } = store.submit(submission())
  await takeNow(store)
  const stream = vi.spyOn(store, 'stream')
  await leave(gateway, 'GET', `/stream/${id}`, () => stream.mock.calls.length === 1)
  await stream.mock.results[0]?.value.catch(() => {})
  store.addChunk(id, Buffer.from('{"output":"a"}'))
  expect((await store.stream(id, { waitMs: 1000 }))?.chunks).toHaveLength(1)
})

test('a client that got its answer ends nothing', async () => {
  const gateway = openGateway()
  const url = await listenAnywhere(gateway)
  const worked = workOnce(gateway.store, () => [1])
  await fetch(`${url}/runsync`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: '{"input":1}',
  })
  expect(gateway.store.get(await worked)?.status).toBe('COMPLETED')
})
