/** The server as a process, from before its models are there until its last answer. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { BUNDLED_MODEL } from '../open-model.ts'
import type { Program } from '../start-program.ts'
import { startProgram } from '../start-program.ts'
import { ROOT, runHandler } from './run-handler.ts'
import { startServer } from './start-server.ts'

const opened: (() => unknown)[] = []

afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close()
})

async function serverOf(
  env: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Promise<Program> {
  const program = await startServer(env, args)
  opened.push(() => program.process.kill('SIGKILL'))
  return program
}

/** An HTTP server, as of a load-balancing endpoint, as soon as it listens. */
async function listening(env: Readonly<Record<string, string>>): Promise<Program & { url: string }> {
  const file = join(ROOT, 'handler.ts')
  const until = /"address":"http:\/\/[^:]+:(\d+)"/
  const program = await startProgram({ file, env: { PORT: '0', ...env }, until })
  opened.push(() => program.process.kill('SIGKILL'))
  return { ...program, url: `http://127.0.0.1:${program.found}` }
}

function post(url: string, body: unknown): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
}

/** Takes connections and says nothing. */
async function silentServer(): Promise<string> {
  const server = createServer()
  opened.push(() => {
    server.close()
    server.closeAllConnections()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const LONG_TEXTS = Array.from({ length: 2000 }, (_, index) => `text ${index} `.repeat(100))

test('it can be stopped before it listens, as soon as it has begun', async () => {
  const file = join(ROOT, 'handler.ts')
  const { stop } = await startProgram({
    file,
    env: { PORT: '0', MODEL_NAMES: BUNDLED_MODEL },
    until: /(devices_chosen)/,
  })
  expect(await stop()).toBe(0)
})

test('while models load, probes say so, requests are refused with when to come again, and it can be stopped', async () => {
  const { url, stop } = await listening({
    MODEL_NAMES: 'org/model',
    HF_ENDPOINT: await silentServer(),
    HF_HOME: '/nowhere',
  })
  expect((await fetch(`${url}/ping`)).status).toBe(204)
  expect((await fetch(`${url}/health`)).status).toBe(200)
  const early = await post(`${url}/v1/embeddings`, { input: 'a' })
  expect([early.status, early.headers.get('retry-after')]).toEqual([503, '1'])
  expect(await stop()).toBe(0)
})

test('a server whose model cannot be loaded stays to say so', async () => {
  const { url, stop } = await listening({ MODEL_NAMES: './no-such-folder' })
  await vi.waitFor(async () => expect((await fetch(`${url}/ping`)).status).toBe(503), 5000)
  for (const [path, body] of [
    ['/run', { input: { input: 'a' } }],
    ['/runsync', { input: { input: 'a' } }],
    ['/openai/v1/embeddings', { input: 'a' }],
    ['/v1/embeddings', { input: 'a' }],
  ] as const) {
    const answer = await post(url + path, body)
    expect(answer.status, path).toBe(500)
    expect(await answer.text(), path).toContain('no-such-folder')
  }
  expect(await stop()).toBe(1)
})

test('told to end, it takes nothing new, answers what is under way within the grace period, and exits with 0', async () => {
  const server = await serverOf({ SHUTDOWN_GRACE_SECONDS: '5' })
  const held = post(`${server.found}/runsync`, { input: { input: LONG_TEXTS } })
  const direct = post(`${server.found}/v1/embeddings`, {
    input: Array.from({ length: 20 }, () => LONG_TEXTS[0]),
  })
  await vi.waitFor(async () => {
    const metrics = await (await fetch(`${server.found}/metrics`)).text()
    expect(metrics).toContain('embeddings_jobs_in_flight 1\n')
    expect(metrics).toContain('embeddings_requests_in_flight 1\n')
  }, 5000)
  const ended = server.stop()
  await vi.waitFor(async () => expect((await fetch(`${server.found}/ping`)).status).toBe(503), 1500)
  expect((await post(`${server.found}/run`, { input: { input: 'a' } })).status).toBe(503)
  expect((await post(`${server.found}/v1/embeddings`, { input: 'a' })).status).toBe(503)
  expect((await direct).status).toBe(200)
  const answer = await held
  expect(answer.status).toBe(503)
  expect(await answer.json()).toEqual({ error: 'the worker is stopping and takes no more work' })
  expect(await ended).toBe(0)
})

test('told to end twice while it computes, it is gone at once, and without an abort', async () => {
  const server = await serverOf({ SHUTDOWN_GRACE_SECONDS: '60' })
  void post(`${server.found}/v1/embeddings`, { input: LONG_TEXTS }).catch(() => {})
  await vi.waitFor(async () => {
    const metrics = await (await fetch(`${server.found}/metrics`)).text()
    expect(metrics).toContain('embeddings_requests_in_flight 1\n')
  }, 5000)
  const exited = once(server.process, 'exit')
  server.process.kill('SIGTERM')
  await vi.waitFor(async () => expect((await fetch(`${server.found}/ping`)).status).toBe(503), 1500)
  server.process.kill('SIGTERM')
  expect(await exited).toEqual([null, 'SIGKILL'])
})

test('a job that waits when the server ends is cancelled, and its client told', async () => {
  const server = await serverOf({ SHUTDOWN_GRACE_SECONDS: '1' }, ['--rp_api_concurrency', '1'])
  void post(`${server.found}/run`, { input: { input: LONG_TEXTS } })
  await vi.waitFor(async () => {
    const health = await fetch(`${server.found}/v2/local/health`)
    expect(await health.json()).toMatchObject({ jobs: { inProgress: 1 } })
  }, 5000)
  const waiting = post(`${server.found}/runsync`, { input: { input: 'a' } })
  await vi.waitFor(async () => {
    const health = await fetch(`${server.found}/v2/local/health`)
    expect(await health.json()).toMatchObject({ jobs: { inQueue: 1 } })
  }, 5000)
  const ended = server.stop()
  expect(await (await waiting).json()).toMatchObject({ status: 'CANCELLED' })
  expect(await ended).toBe(0)
})

test('where one of its ports is taken it gives the other back and exits with 1', async () => {
  const taken = new URL(await silentServer()).port
  const env = { MODEL_NAMES: BUNDLED_MODEL, PORT: '0', PORT_HEALTH: taken }
  const { exitCode, stderr } = await runHandler([], env)
  expect(exitCode).toBe(1)
  expect(stderr).toContain(`cannot listen on 0.0.0.0:${taken}`)
})

test('a client that goes away ends its request', async () => {
  const server = await serverOf({})
  const controller = new AbortController()
  const body = JSON.stringify({ input: LONG_TEXTS })
  const headers = { 'content-type': 'application/json' }
  const asked = fetch(`${server.found}/v1/embeddings`, {
    method: 'POST',
    headers,
    body,
    signal: controller.signal,
  })
  const queued = async () => {
    const answer = await fetch(`${server.found}/v1/models`)
    const { data } = (await answer.json()) as { data: { stats: { queued_items: number } }[] }
    return data[0]?.stats.queued_items
  }
  await vi.waitFor(async () => expect(await queued()).toBeGreaterThan(100), 5000)
  controller.abort()
  await expect(asked).rejects.toThrow()
  await vi.waitFor(async () => expect(await queued()).toBe(0), 5000)
})

test('without a key a server says what it is and describes itself, and with one answers Azure’s clients', async () => {
  const { found: url } = await serverOf({ API_KEY: 'k' })
  const home = await fetch(url)
  expect([home.status, await home.json()]).toMatchObject([
    200,
    { name: 'runpod-worker-embeddings', version: expect.stringMatching(/^\d+\.\d+\.\d+/), status: 'ready' },
  ])
  expect(await (await fetch(`${url}/docs`)).text()).toContain('<!doctype html>')
  const document = await (await fetch(`${url}/openapi.json`)).json()
  expect(document).toMatchObject({ openapi: '3.1.0', security: [{ bearer: [] }, { apiKey: [] }] })
  const azure = `${url}/openai/deployments/any/embeddings?api-version=2024-10-21`
  const ask = (body: unknown, headers: Record<string, string>) =>
    fetch(azure, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })
  expect((await ask({ input: 'a' }, { 'api-key': 'k' })).status).toBe(200)
  expect((await ask({ input: [] }, { 'api-key': 'k' })).status).toBe(400)
  const refused = await ask({ input: 'a' }, { 'x-request-id': 'mine' })
  expect([
    refused.status,
    refused.headers.get('www-authenticate'),
    refused.headers.get('x-request-id'),
  ]).toEqual([401, 'Bearer', 'mine'])
  // The label tells that it is counted, whatever the error handler answered.
  const metrics = await fetch(`${url}/metrics`, { headers: { 'api-key': 'k' } })
  expect(await metrics.text()).toMatch(/embeddings_request_seconds_count\{[^}]*status="401"\} 1/)
})
