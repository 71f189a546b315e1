import { expect, test } from 'vitest'
import { isGatewayPath } from '../../../../src/transports/http/gateway-path.ts'
import { gatewayRoutes } from '../../../../src/transports/http/gateway-routes.ts'
import { createServer } from '../../../../src/transports/http/server.ts'
import { openFace } from '../../../fakes/http-face.ts'
import { WORKER_COUNTS } from '../../../fakes/gateway.ts'
import { openStore } from '../../../fakes/job-store.ts'
import { FakeService } from '../../../fakes/service.ts'

const SERVED = [
  '/run',
  '/runsync?wait=1',
  '/status/%zz',
  '/status-sync/x',
  '/stream/x',
  '/cancel/x',
  '/retry/x',
  '/purge-queue',
  '/requests?offset=1',
  '/openai/v1/%zz',
]

test.each([...SERVED, ...SERVED.map((path) => `/v2/local${path}`), '/v2/local/health'])(
  '%s is one of RunPod’s',
  (path) => {
    expect(isGatewayPath(path)).toBe(true)
  },
)

test.each([
  '/',
  '/v1/embeddings',
  '/v2/rerank',
  '/v2/%zz/rerank',
  '/health',
  '/running',
  '/rerank',
  '/x?/run',
  '/openai/deployments/%zz/embeddings',
])('%s is none', (path) => {
  expect(isGatewayPath(path)).toBe(false)
})

test('every route that the gateway serves is known to be one', async () => {
  const { store } = openStore()
  const app = createServer()
  const urls: string[] = []
  app.addHook('onRoute', ({ url }) => void urls.push(url))
  gatewayRoutes(app, {
    store,
    workers: () => WORKER_COUNTS,
    webhooks: { check: () => {} },
    cancelOnDisconnect: true,
  })
  await app.ready()
  expect(new Set(urls).size).toBe(21)
  expect(urls.filter((url) => !isGatewayPath(url))).toEqual([])
  await app.close()
})

test.each(['/status/%zz', '/v2/local/status/%zz', '/openai/%zz'])(
  '%s, which cannot be decoded, is refused in the gateway’s words',
  async (url) => {
    const { app } = openFace({ service: new FakeService(), hasGateway: true })
    const answer = await app.inject({ url, headers: { 'x-request-id': 'mine' } })
    expect([answer.statusCode, answer.json(), answer.headers['x-request-id']]).toEqual([
      400,
      { error: expect.stringContaining(url) },
      'mine',
    ])
  },
)
