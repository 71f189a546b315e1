import { describe, expect, test } from 'vitest'
import { ServerError } from '../../../../src/errors.ts'
import type { Lifecycle } from '../../../../src/transports/lifecycle.ts'
import { openFace } from '../../../fakes/http-face.ts'
import { modelInfo } from '../../../fakes/model-info.ts'
import { FakeService } from '../../../fakes/service.ts'

const FAILURE = new ServerError('load_failed', 'no memory')

const service = new FakeService({ models: [modelInfo({ id: 'small' }), modelInfo({ id: 'large' })] })
const broken = new FakeService({
  models: [modelInfo({ id: 'small' }), modelInfo({ id: 'large', healthy: false })],
})

interface Case {
  readonly name: string
  readonly move: (lifecycle: Lifecycle) => void
  readonly ping: number
  readonly health: number
  readonly status: string
}

const CASES: readonly Case[] = [
  { name: 'loading', move: () => {}, ping: 204, health: 200, status: 'starting' },
  { name: 'ready', move: (lifecycle) => lifecycle.ready(service), ping: 200, health: 200, status: 'ready' },
  {
    name: 'without the threads of a model',
    move: (lifecycle) => lifecycle.ready(broken),
    ping: 503,
    health: 503,
    status: 'unhealthy',
  },
  {
    name: 'draining',
    move: (lifecycle) => {
      lifecycle.ready(service)
      lifecycle.drain()
    },
    ping: 503,
    health: 200,
    status: 'draining',
  },
  {
    name: 'failed',
    move: (lifecycle) => lifecycle.fail(FAILURE),
    ping: 503,
    health: 503,
    status: 'failed',
  },
]

describe.each(CASES)('a server that is $name', ({ move, ping, health, status }) => {
  test(`answers /ping with ${ping}`, async () => {
    const { app, lifecycle } = openFace()
    move(lifecycle)
    for (const method of ['GET', 'HEAD'] as const) {
      const answer = await app.inject({ method, url: '/ping?from=lb' })
      expect(answer.statusCode).toBe(ping)
      if (method === 'HEAD' || ping === 204) expect(answer.body).toBe('')
      else expect(answer.json()).toEqual({ status: ping === 200 ? 'ok' : status })
    }
  })

  test(`answers /health with ${health}`, async () => {
    const { app, lifecycle } = openFace()
    move(lifecycle)
    const answer = await app.inject('/health')
    expect(answer.statusCode).toBe(health)
    expect(answer.json()).toMatchObject({ status, unix: expect.any(Number) })
  })
})

test.each(CASES)('/ tells that a server is $name, and what it is', async ({ move, health, status }) => {
  const { app, lifecycle } = openFace()
  move(lifecycle)
  const answer = await app.inject('/')
  expect([answer.statusCode, answer.json()]).toEqual([
    health,
    { name: 'a-worker', version: '1.2.3', status, docs: '/docs', openapi: '/openapi.json' },
  ])
  expect((await app.inject({ method: 'HEAD', url: '/' })).statusCode).toBe(health)
})

test.each(['/ping', '/health', '/metrics', '/docs', '/openapi.json'])('%s is only read', async (url) => {
  const { app } = openFace({ service })
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'] as const) {
    const answer = await app.inject({ method, url, payload: '{' })
    expect([answer.statusCode, answer.headers.allow]).toEqual([405, 'GET, HEAD'])
    expect(answer.json()).toMatchObject({ message: `${method} is not possible on ${url}; use GET` })
  }
  expect((await app.inject({ method: 'HEAD', url })).statusCode).toBe(200)
})

test('/health lists the models with their health, and the time in seconds', async () => {
  const { app } = openFace({ service: broken })
  const before = Date.now() / 1000
  const { unix, models } = (await app.inject('/health')).json<{ unix: number; models: unknown }>()
  expect(models).toEqual([
    { id: 'small', healthy: true },
    { id: 'large', healthy: false },
  ])
  expect(unix).toBeGreaterThanOrEqual(before)
  expect(unix).toBeLessThan(before + 60)
})

test('/metrics is text that Prometheus reads', async () => {
  const { app } = openFace({ service })
  const { statusCode, headers, body } = await app.inject('/metrics')
  expect([statusCode, headers['content-type']]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8'])
  expect(body).toContain('embeddings_queue_items{model="large"} 0')
})
