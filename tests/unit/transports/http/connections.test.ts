/** What clients can do to a server below the level of a request, over real sockets. */
import { once } from 'node:events'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createServer } from '../../../../src/transports/http/server.ts'
import { HeldService, connectRaw, listenAnywhere, openFace, parseAnswer } from '../../../fakes/http-face.ts'
import { FakeService } from '../../../fakes/service.ts'

const UUID = /^[\da-f]{8}-[\da-f-]{27}$/
const CLOSE = 'connection: close\r\n'
const PING = `GET /ping HTTP/1.1\r\nhost: here\r\n${CLOSE}\r\n`

afterEach(() => {
  vi.useRealTimers()
})

async function ping(port: number): Promise<number> {
  return parseAnswer(await connectRaw(port, PING).all).status
}

function post(body: string, headers = ''): string {
  const length = `content-length: ${Buffer.byteLength(body)}\r\n`
  return `POST /v1/embeddings HTTP/1.1\r\nhost: here\r\n${length}${headers}\r\n${body}`
}

describe('headers', () => {
  test.each([
    ['one that is too long', `x: ${'a'.repeat(20_000)}\r\n`],
    ['too many', Array.from({ length: 3000 }, (_, index) => `x${index}: a\r\n`).join('')],
    ['a path that is too long', undefined],
  ])('%s: 431, and the server lives on', async (_, headers) => {
    const { listen } = openFace({ service: new FakeService() })
    const port = await listen()
    const path = headers === undefined ? `/${'x'.repeat(20_000)}` : '/ping'
    const answer = await connectRaw(port, `GET ${path} HTTP/1.1\r\nhost: here\r\n${headers ?? ''}\r\n`).all
    expect(answer).toMatch(/^HTTP\/1\.1 431 /)
    expect(answer).toContain('"message":"the headers of the request are larger than 16 kB"')
    expect(await ping(port)).toBe(200)
  })

  test('that never end are given up on, and others are served meanwhile', async () => {
    const { listen } = openFace({ service: new FakeService(), headersTimeoutMs: 150 })
    const port = await listen()
    const slow = ['', 'GET /pi', 'GET /ping HTTP/1.1\r\nhost: here\r\nx: '].map((text) =>
      connectRaw(port, text),
    )
    expect(await ping(port)).toBe(200)
    for (const { all } of slow) expect(await all).toMatch(/^HTTP\/1\.1 408 /)
  })

  test.each(['FOO / HTTP/1.1\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n', '\u0016\u0003\u0001\u0002\r\n\r\n'])(
    'that are none (%j) are refused, and the server lives on',
    async (text) => {
      const { listen } = openFace({ service: new FakeService() })
      const port = await listen()
      expect(await connectRaw(port, text).all).toMatch(/^HTTP\/1\.1 400 /)
      expect(await ping(port)).toBe(200)
    },
  )

  test('that ask for a tunnel or another protocol bring the server no harm', async () => {
    const { listen } = openFace({ service: new FakeService() })
    const port = await listen()
    await connectRaw(port, 'CONNECT there:443 HTTP/1.1\r\nhost: there\r\n\r\n').all
    const upgrade = `GET /ping HTTP/1.1\r\nhost: here\r\nupgrade: websocket\r\n${CLOSE}\r\n`
    expect(await connectRaw(port, upgrade).all).toMatch(/^HTTP\/1\.1 \d{3} /)
    expect(await ping(port)).toBe(200)
  })
})

describe('one connection too many', () => {
  async function openTwo() {
    const service = new HeldService()
    const { app, listen } = openFace({ service, maxConnections: 2 })
    const port = await listen()
    const first = connectRaw(port, '')
    const [accepted] = await once(app.server, 'connection')
    const second = connectRaw(port, '')
    await once(app.server, 'connection')
    return { service, port, first, second, accepted }
  }

  test('is told so, and when to come back, and what it sends is not looked at', async () => {
    const { service, port } = await openTwo()
    for (let time = 0; time < 3; time++) {
      const answer = parseAnswer(await connectRaw(port, post('{"input":"a"}', CLOSE)).all)
      expect(answer).toMatchObject({
        status: 429,
        body: {
          error: {
            message: 'too many connections',
            type: 'rate_limit_error',
            param: null,
            code: 'rate_limit_exceeded',
          },
        },
      })
      expect(answer.headers.get('retry-after')).toBe('1')
      expect(answer.headers.get('x-request-id')).toMatch(UUID)
      expect(answer.headers.get('content-type')).toBe('application/json')
    }
    expect(service.started).toEqual([])
  })

  test('does no harm to those before it', async () => {
    const { service, port, first } = await openTwo()
    await connectRaw(port, PING).all
    first.socket.write(post('{"input":"a"}', CLOSE))
    service.release()
    expect(parseAnswer(await first.all).status).toBe(200)
  })

  test('is none once another has ended', async () => {
    const { port, first, accepted } = await openTwo()
    expect(await ping(port)).toBe(429)
    first.socket.destroy()
    await once(accepted, 'close')
    expect(await ping(port)).toBe(200)
  })
})

describe('a body over the limit', () => {
  test('is read to its end, so that a client that only then reads finds its answer', async () => {
    const app = createServer()
    app.post('/x', { bodyLimit: 1000 }, () => ({}))
    app.get('/ping', () => ({}))
    const port = await listenAnywhere(app)
    const size = 8_000_000
    const head = `POST /x HTTP/1.1\r\nhost: here\r\ncontent-length: ${size}\r\n\r\n`
    const { socket, all } = connectRaw(port, head)
    // What the system's buffers can't hold is written only as long as somebody reads.
    socket.pause()
    await new Promise<unknown>((resolve) => socket.write('x'.repeat(size), resolve))
    socket.resume()
    socket.write(PING)
    const [refused = '', next = ''] = (await all).split(/(?=HTTP\/1\.1 \d{3} )/)
    expect(parseAnswer(refused)).toMatchObject({
      status: 413,
      body: { error: { code: 'request_too_large' } },
    })
    expect(parseAnswer(next).status).toBe(200)
    await app.close()
  })
})

describe('closing', () => {
  const HALF_WAY = [
    ['nothing', ''],
    ['half a line', 'GET /pi'],
    ['half its headers', 'GET /ping HTTP/1.1\r\nhost:'],
    ['half a body', 'POST /v1/embeddings HTTP/1.1\r\nhost: here\r\ncontent-length: 100\r\n\r\n{"in'],
    ['a request, and half of the next', 'GET /ping HTTP/1.1\r\nhost: here\r\n\r\nGET /pi'],
  ] as const

  test.each(HALF_WAY)('is not held up for long by a client that has sent %s', async (_, text) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { app, listen } = openFace({ service: new FakeService() })
    const { all } = connectRaw(await listen(), text)
    const [accepted] = await once(app.server, 'connection')
    if (text !== '') await once(accepted, 'data').catch(() => undefined)
    const closed = app.close()
    await vi.advanceTimersByTimeAsync(10_000)
    await closed
    await all
  })

  test('lets what is under way end', async () => {
    const service = new HeldService()
    const { app, listen } = openFace({ service })
    const { all } = connectRaw(await listen(), post('{"input":"a"}'))
    await service.arrived(1)
    const closed = app.close()
    service.release()
    expect(await all).toMatch(/^HTTP\/1\.1 200 /)
    await closed
  })
})
