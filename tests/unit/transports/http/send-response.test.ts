import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import type { WireResponse } from '../../../../src/dialects/dispatch.ts'
import { sendResponse } from '../../../../src/transports/http/send-response.ts'
import { createServer, listen } from '../../../../src/transports/http/server.ts'

async function sent(response: Partial<WireResponse>) {
  const app = createServer()
  const whole = {
    status: 200,
    body: {},
    jobOutput: 'list',
    headers: {},
    route: undefined,
    ...response,
  } as const
  app.get('/', (_request, reply) => sendResponse(reply, whole))
  return app.inject('/')
}

test('an answer has its status, its headers and its body as JSON', async () => {
  const answer = await sent({ status: 429, headers: { 'retry-after': '7' }, body: { text: 'ü"' } })
  expect([answer.statusCode, answer.headers['retry-after'], answer.headers['content-type']]).toEqual([
    429,
    '7',
    'application/json',
  ])
  expect(answer.body).toBe('{"text":"ü\\""}')
  expect(answer.headers['content-length']).toBe(String(Buffer.byteLength(answer.body)))
})

test('an answer without a body is an empty object', async () => {
  expect((await sent({ body: undefined })).body).toBe('{}')
})

test('a large answer comes whole', async () => {
  const body = { data: Array.from({ length: 100_000 }, (_, index) => index / 3) }
  expect((await sent({ body })).body).toBe(JSON.stringify(body))
})

test('a client that does not read its answer loses it, and one that reads keeps its connection', async () => {
  const app = createServer()
  onTestFinished(() => app.close())
  const body = { data: Array.from({ length: 8 }, () => 'x'.repeat(4_000_000)) }
  const whole = { status: 200, body, jobOutput: 'list', headers: {}, route: undefined } as const
  const replied = Promise.withResolvers<ServerResponse>()
  app.get('/', (_request, reply) => {
    replied.resolve(reply.raw)
    return sendResponse(reply, whole, 100)
  })
  const url = await listen(app, '127.0.0.1', 0)
  const socket = connect(Number(new URL(url).port), '127.0.0.1').pause()
  onTestFinished(() => void socket.destroy())
  socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
  const raw = await replied.promise
  await once(raw, 'close')
  expect(raw.writableFinished).toBe(false)
  expect((await (await fetch(url)).text()).length).toBeGreaterThan(32_000_000)
})
