import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Webhooks } from '../../../../src/transports/gateway/webhook.ts'
import { until } from '../../../fakes/gateway.ts'
import { WORKER, encoded, openStore, submission, takeNow } from '../../../fakes/job-store.ts'
import { recordLog } from '../../../fakes/recording-log.ts'

const JOB_URL = 'https://hooks.example.com/done?x=1'

function open(allow: 'all' | readonly string[]) {
  const log = recordLog()
  return { ...log, webhooks: new Webhooks({ allow, log: log.log }) }
}

/** Completes a job that has this webhook; `sent` tells when no more will be tried. */
async function complete(webhooks: Webhooks, webhook: string | undefined, output = encoded([1])) {
  let sent = Promise.resolve()
  const { store } = openStore({ onEnd: (job) => void (sent = webhooks.send(job)) })
  const { id } = store.submit(submission({ webhook, input: { text: 'a' } }))
  await takeNow(store)
  store.finish(id, WORKER, { output })
  return { id, sent }
}

describe('hosts', () => {
  const allow = ['hooks.example.com', 'other.example.com:8443', 'localhost:9000', '[::1]:80']

  test.each([
    'https://hooks.example.com/x',
    'http://hooks.example.com/x',
    'https://HOOKS.example.com:443/x',
    'https://other.example.com:8443/x',
    'http://localhost:9000',
    'http://[::1]/x',
  ])('%s may be sent to', (url) => {
    expect(() => open(allow).webhooks.check(url)).not.toThrow()
  })

  test.each([
    ['https://hooks.example.com:8443/x', 'hooks.example.com:8443'],
    ['https://a.hooks.example.com/x', 'a.hooks.example.com'],
    ['https://hooks.example.com./x', 'hooks.example.com.'],
    ['https://other.example.com/x', 'other.example.com'],
    ['http://127.0.0.1:9000/', '127.0.0.1:9000'],
    ['https://[::1]/x', '[::1]'],
  ])('%s may not', (url, host) => {
    expect(() => open(allow).webhooks.check(url)).toThrow(
      expect.objectContaining({
        code: 'invalid_request',
        message: `webhook names the host ${host}; only hosts listed in WEBHOOK_HOSTS are sent to`,
      }),
    )
  })

  test('without a list, none may; a tool may allow all', () => {
    expect(() => open([]).webhooks.check(JOB_URL)).toThrow('WEBHOOK_HOSTS')
    expect(() => open('all').webhooks.check('http://127.0.0.1:1/')).not.toThrow()
  })

  test('an address with a user in it is refused, since it could not be fetched', () => {
    expect(() => open('all').webhooks.check('https://user@hooks.example.com/')).toThrow('user or a password')
  })
})

describe('tries', () => {
  const fetched = vi.fn<typeof fetch>()

  beforeEach(() => {
    vi.useFakeTimers()
    vi.stubGlobal('fetch', fetched.mockReset())
  })
  afterEach(() => {
    vi.useRealTimers()
    vi.unstubAllGlobals()
  })

  test('end with the first 200', async () => {
    fetched.mockResolvedValue(new Response('ok'))
    const { webhooks, lines } = open('all')
    await (
      await complete(webhooks, JOB_URL)
    ).sent
    expect(fetched).toHaveBeenCalledTimes(1)
    expect(lines).toEqual([])
    expect(vi.getTimerCount()).toBe(1)
  })

  test('are three, ten seconds apart, then it is logged', async () => {
    fetched.mockImplementation(async () => new Response('', { status: 201 }))
    const { webhooks, lines } = open('all')
    const { id, sent } = await complete(webhooks, JOB_URL)
    for (const [ms, calls] of [
      [0, 1],
      [9999, 1],
      [1, 2],
      [9999, 2],
      [1, 3],
      [60_000, 3],
    ] as const) {
      await vi.advanceTimersByTimeAsync(ms)
      expect(fetched).toHaveBeenCalledTimes(calls)
    }
    await sent
    expect(lines).toEqual([{ level: 'warn', event: 'webhook_failed', jobId: id, error: 'HTTP 201' }])
  })

  test('give up on a host that does not answer within ten seconds', async () => {
    fetched.mockImplementation(
      (_url, init) =>
        new Promise((_resolve, reject) => {
          init?.signal?.addEventListener('abort', () => reject(new Error('aborted')))
        }),
    )
    const { webhooks, lines } = open('all')
    const { sent } = await complete(webhooks, JOB_URL)
    await vi.advanceTimersByTimeAsync(9999)
    expect(vi.getTimerCount()).toBe(2)
    await vi.advanceTimersByTimeAsync(1)
    await vi.advanceTimersByTimeAsync(9999)
    expect(fetched).toHaveBeenCalledTimes(1)
    await vi.advanceTimersByTimeAsync(30_001)
    await sent
    expect(fetched).toHaveBeenCalledTimes(3)
    expect(lines).toMatchObject([{ error: 'no answer within 10000 ms' }])
  })

  test('end at once when it is closed', async () => {
    fetched.mockResolvedValue(new Response('', { status: 500 }))
    const { webhooks } = open('all')
    const { sent } = await complete(webhooks, JOB_URL)
    await vi.advanceTimersByTimeAsync(5000)
    await webhooks.close()
    await sent
    expect(fetched).toHaveBeenCalledTimes(1)
    expect(vi.getTimerCount()).toBe(1)
  })

  test('under way when it is closed have a moment to arrive, and are not tried again', async () => {
    const answer = Promise.withResolvers<Response>()
    fetched.mockImplementation(async () => answer.promise)
    const { webhooks, lines } = open('all')
    const { sent } = await complete(webhooks, JOB_URL)
    const closed = webhooks.close()
    await vi.advanceTimersByTimeAsync(1000)
    expect(fetched.mock.calls[0]?.[1]?.signal?.aborted).toBe(false)
    answer.resolve(new Response('', { status: 500 }))
    await Promise.all([closed, sent])
    expect(fetched).toHaveBeenCalledTimes(1)
    expect(lines).toMatchObject([{ error: 'HTTP 500' }])
  })

  test('are given up for a body that has no room beside those that wait', async () => {
    fetched.mockImplementation(async () => new Response('', { status: 500 }))
    const { webhooks, lines } = open('all')
    const large = { json: Buffer.alloc(99_999_000), isListOfOne: false }
    const first = await complete(webhooks, JOB_URL, large)
    await vi.advanceTimersByTimeAsync(0)
    const second = await complete(webhooks, JOB_URL, { json: Buffer.alloc(1000), isListOfOne: false })
    await second.sent
    expect(lines).toMatchObject([{ event: 'webhook_dropped', jobId: second.id }])
    expect(fetched).toHaveBeenCalledTimes(1)
    void webhooks.close()
    await first.sent
    lines.length = 0
    await (
      await complete(webhooks, JOB_URL, large)
    ).sent
    expect(lines).toMatchObject([{ event: 'webhook_failed' }])
  })

  test('a job without a webhook sends nothing', async () => {
    const { webhooks } = open('all')
    await (
      await complete(webhooks, undefined)
    ).sent
    expect(fetched).not.toHaveBeenCalled()
  })
})

describe('over the wire', () => {
  const servers: Server[] = []
  afterEach(() => {
    for (const server of servers.splice(0)) server.close()
    vi.restoreAllMocks()
  })

  async function addressOf(server: Server): Promise<string> {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  async function serve(status: number, headers: Record<string, string> = {}) {
    const requests: { message: IncomingMessage; body: string }[] = []
    const server = createServer((message, response) => {
      let body = ''
      message.setEncoding('utf8').on('data', (text: string) => (body += text))
      message.on('end', () => {
        requests.push({ message, body })
        response.writeHead(status, { connection: 'close', ...headers }).end()
      })
    })
    servers.push(server)
    return { requests, url: await addressOf(server) }
  }

  test('a webhook gets the job as JSON', async () => {
    const { requests, url } = await serve(200)
    const { id, sent } = await complete(open('all').webhooks, `${url}/done?x=1`)
    await sent
    expect(requests).toHaveLength(1)
    const [{ message, body } = {}] = requests
    expect([message?.method, message?.url]).toEqual(['POST', '/done?x=1'])
    expect(message?.headers['content-type']).toBe('application/json; charset=utf-8')
    expect(JSON.parse(body ?? '')).toMatchObject({
      id,
      input: { text: 'a' },
      status: 'COMPLETED',
      output: [1],
      webhook: `${url}/done?x=1`,
    })
  })

  test('a redirect is not followed', async () => {
    const target = await serve(200)
    const { url } = await serve(307, { location: `${target.url}/secret` })
    const { webhooks } = open('all')
    const fetched = vi.spyOn(globalThis, 'fetch')
    const { sent } = await complete(webhooks, url)
    await until(() => fetched.mock.settledResults[0]?.type === 'fulfilled')
    expect(fetched.mock.settledResults).toMatchObject([{ value: { status: 307 } }])
    void webhooks.close()
    await sent
    expect(target.requests).toEqual([])
  })

  test('what a host answers is not read', async () => {
    const closed = Promise.withResolvers<void>()
    const server = createServer((_request, response) => {
      response.on('close', () => closed.resolve()).writeHead(200)
      // and never ended
      response.write('a')
    })
    servers.push(server)
    const { sent } = await complete(open('all').webhooks, await addressOf(server))
    await sent
    await closed.promise
  })
})
