import { expect, test } from 'vitest'
import type { WireResponse } from '../../../../src/dialects/dispatch.ts'
import { sendResponse } from '../../../../src/transports/http/send-response.ts'
import { createServer } from '../../../../src/transports/http/server.ts'

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
