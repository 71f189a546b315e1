/** What every face of the server does with requests, whatever their route. */
import { once } from 'node:events'
import type { InjectOptions } from 'fastify'
import { describe, expect, test } from 'vitest'
import type { ErrorCode } from '../../../../src/errors.ts'
import { ERRORS } from '../../../../src/errors.ts'
import { MAX_BODY_BYTES, bodyBytes } from '../../../../src/transports/http/body.ts'
import { createServer, listen } from '../../../../src/transports/http/server.ts'
import { closeAtOnce, connectRaw, listenAnywhere, openFace, parseAnswer } from '../../../fakes/http-face.ts'
import { FakeService } from '../../../fakes/service.ts'

const EMBED = '{"input":"a"}'

/** As clients of OpenAI, Cohere and Jina look for it. */
function refusal(code: ErrorCode, message: unknown) {
  const { type, wire } = ERRORS[code]
  return { error: { message, type, param: null, code: wire }, message, detail: message }
}

async function post(options: InjectOptions, anyContentType = false) {
  const service = new FakeService()
  const { app } = openFace({ service, anyContentType })
  const answer = await app.inject({ method: 'POST', url: '/v1/embeddings', payload: EMBED, ...options })
  return { status: answer.statusCode, body: answer.json<unknown>(), tasks: service.tasks }
}

describe('the content type', () => {
  test.each([
    'application/json',
    'application/json; charset=utf-8',
    'Application/JSON',
    'application/vnd.x+json',
    'application/problem+json;charset=utf-8',
  ])('%s is JSON', async (type) => {
    expect(await post({ headers: { 'content-type': type } })).toMatchObject({
      status: 200,
      tasks: [{ texts: ['a'] }],
    })
  })

  test('may be missing', async () => {
    const payload = Buffer.from(EMBED)
    expect(await post({ payload })).toMatchObject({ status: 200, tasks: [{ texts: ['a'] }] })
  })

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonp',
    'application/xjson',
    'application/json-seq',
    'text/json',
    'json',
    '',
    ';',
  ])('%j is another, which is said', async (type) => {
    expect(await post({ headers: { 'content-type': type } })).toEqual({
      status: 415,
      body: refusal(
        'wrong_content_type',
        `content-type is ${JSON.stringify(type)}; it must be application/json`,
      ),
      tasks: [],
    })
  })

  test('is told shortened where it is long', async () => {
    const { body } = await post({ headers: { 'content-type': `text/${'x'.repeat(5000)}` } })
    expect(JSON.stringify(body)).not.toContain('x'.repeat(100))
  })

  test.each(['application/x-www-form-urlencoded', 'text/plain'])(
    '%s is read as JSON where any is to be',
    async (type) => {
      expect(await post({ headers: { 'content-type': type } }, true)).toMatchObject({
        status: 200,
        tasks: [{ texts: ['a'] }],
      })
    },
  )
})

describe('a body', () => {
  const headers = { 'content-type': 'application/json' }

  test.each(['{', 'hello', '{"input":"a"}}', "{'input':'a'}", '{"input":NaN}', '\u0000'])(
    '%j is not JSON, which is said',
    async (payload) => {
      const { status, body, tasks } = await post({ headers, payload })
      expect(status).toBe(400)
      expect(body).toEqual(
        refusal('invalid_request', expect.stringMatching(/^the body is not JSON: .*(JSON|property name)/)),
      )
      expect(tasks).toEqual([])
    },
  )

  test.each([
    ['', 'the request is missing; it must be an object'],
    ['null', 'the request is null; it must be an object'],
    ['[]', 'the request is a list of 0; it must be an object'],
    ['"a"', 'the request is "a"; it must be an object'],
    ['0', 'the request is 0; it must be an object'],
  ])('%j is no request, which is said', async (payload, message) => {
    expect(await post({ headers, payload })).toEqual({
      status: 400,
      body: refusal('invalid_request', message),
      tasks: [],
    })
  })

  test('with a key named __proto__ or constructor changes nothing but itself', async () => {
    const payload = `{"__proto__":{"input":"b","polluted":1},"constructor":{"prototype":{"polluted":1}},"input":"a"}`
    expect(await post({ headers, payload })).toMatchObject({ status: 200, tasks: [{ texts: ['a'] }] })
    expect('polluted' in {}).toBe(false)
    expect(await post({ headers, payload: '{"__proto__":{"input":"b"}}' })).toMatchObject({ status: 400 })
  })

  test('that is compressed is refused by name', async () => {
    const answer = await post({ headers: { ...headers, 'content-encoding': 'gzip' } })
    expect(answer).toMatchObject({ status: 415 })
    expect(JSON.stringify(answer)).toContain('a body must come uncompressed')
  })

  test.each([
    [199, 200],
    [200, 400],
    [6000, 400],
    [100_000, 400],
  ])('with %i lists in one another inside an object is answered with %i', async (depth, status) => {
    const payload = `{"input":"a","user":${'['.repeat(depth)}${']'.repeat(depth)}}`
    expect(await post({ headers, payload })).toMatchObject({ status })
  })

  test.each([
    ['/v1/embeddings', 'encoding_format', { input: 'a' }],
    ['/rerank', 'rank_fields', { query: 'a', documents: ['a'] }],
  ])('to %s with a setting of nearly a million items, %s, is refused at once', async (url, field, rest) => {
    const payload = JSON.stringify({ ...rest, [field]: Array.from({ length: 900_000 }, () => 0) })
    const start = performance.now()
    const { status, body } = await post({ url, headers, payload })
    expect([status, body]).toMatchObject([
      400,
      { message: expect.stringMatching(`^${field} is a list of 900000; it may have [a-z ]*\\d+ items`) },
    ])
    expect(performance.now() - start).toBeLessThan(1000)
  })

  test.each([
    ['/v1/embeddings', { message: expect.stringMatching(/^the body is not JSON/) }],
    ['/v1/rerank', { message: expect.stringMatching(/^the body is not JSON/) }],
    ['/embed', { error: expect.stringMatching(/^the body is not JSON/), error_type: 'Validation' }],
    ['/v1/inference/a/b', { detail: { error: expect.stringMatching(/^the body is not JSON/) } }],
  ])('to %s that is not JSON is refused in the shape of the route', async (url, shape) => {
    expect(await post({ url, headers, payload: '{"a":Infinity}' })).toMatchObject({
      status: 400,
      body: shape,
    })
  })

  test.each([
    ['/v1/embeddings', '"input"', '"input":"b","input":"a"'],
    ['/embed', '"inputs"', '"inputs":"b","inputs":"a"'],
  ])('to %s may have %s twice: the last counts', async (url, _, fields) => {
    expect(await post({ url, headers, payload: `{${fields}}` })).toMatchObject({
      status: 200,
      tasks: [{ texts: ['a'] }],
    })
  })

  test.each(['/v1/embeddings', '/embed'])('to %s may hold half a surrogate pair', async (url) => {
    const payload = String.raw`{"input":"\ud83d","inputs":"\ud83d"}`
    expect(await post({ url, headers, payload })).toMatchObject({
      status: 200,
      tasks: [{ texts: ['\ud83d'] }],
    })
  })

  test('of the very limit is taken', async () => {
    const payload = EMBED.padEnd(MAX_BODY_BYTES)
    expect(await post({ headers, payload })).toMatchObject({ status: 200, tasks: [{ texts: ['a'] }] })
  })

  test('over the limit of its route is refused with its size and the limit', async () => {
    const app = createServer()
    app.post('/small', { bodyLimit: 20 }, () => ({}))
    app.post('/small/:id', { bodyLimit: 20 }, () => ({}))
    const payload = JSON.stringify('x'.repeat(19))
    const answer = await app.inject({ method: 'POST', url: '/small?a=1', headers, payload })
    expect([answer.statusCode, answer.json()]).toEqual([
      413,
      refusal('request_too_large', 'the body has 21 bytes; /small takes at most 20'),
    ])
    const longPath = { method: 'POST', url: `/small/${'x'.repeat(500)}`, headers, payload } as const
    expect((await app.inject(longPath)).body).not.toContain('x'.repeat(200))
    await app.close()
  })

  test('over the limit whose size nobody told is refused with the limit', async () => {
    const { app } = openFace({ service: new FakeService() })
    const port = await listenAnywhere(app)
    const body = new ReadableStream({
      start(controller) {
        for (let k = 0; k < 31; k++) controller.enqueue(new Uint8Array(1_000_000).fill(0x20))
        controller.close()
      },
    })
    const request = { method: 'POST', body, duplex: 'half' } as const
    const answer = await fetch(`http://127.0.0.1:${port}/v1/embeddings`, request)
    expect([answer.status, await answer.json()]).toEqual([
      413,
      refusal('request_too_large', 'the body is larger; /v1/embeddings takes at most 30000000'),
    ])
  })

  test('is as large as it came, or as its headers say before it is read', async () => {
    const app = createServer()
    const sizes: number[] = []
    app.addHook('onRequest', async (request) => void sizes.push(bodyBytes(request)))
    app.post('/', (request) => {
      sizes.push(bodyBytes(request))
      return {}
    })
    await app.inject({ method: 'POST', url: '/', payload: { text: 'ü' } })
    expect(sizes).toEqual([13, 13])
    const port = await listenAnywhere(app)
    const body = new Blob([EMBED]).stream()
    await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body, duplex: 'half' })
    expect(sizes).toEqual([13, 13, 0, 13])
    await closeAtOnce(app)
  })
})

describe('a key', () => {
  const apiKey = 's3cret'
  const authorization = (value: string | undefined) =>
    value === undefined ? {} : { headers: { authorization: value } }

  test.each([
    { authorization: 'Bearer s3cret' },
    { authorization: 's3cret' },
    { 'api-key': 's3cret', authorization: '' },
  ])('%j opens', async (headers) => {
    const { app } = openFace({ apiKey, service: new FakeService() })
    for (const url of ['/v1/models', '/metrics']) {
      expect((await app.inject({ url, headers })).statusCode, url).toBe(200)
    }
  })

  test.each([
    ['GET', '/v1/models'],
    ['POST', '/v1/embeddings'],
    ['GET', '/metrics'],
    ['GET', '/nowhere'],
    ['GET', '/ping/'],
    ['GET', '//ping'],
    ['POST', '/ping'],
    ['OPTIONS', '/v1/embeddings'],
    ['PROPFIND', '/v1/embeddings'],
  ] as const)('%s %s asks for it', async (method, url) => {
    const service = new FakeService()
    const { app } = openFace({ apiKey, service })
    // node:http knows more methods than fastify's types
    const ask = (key: string | undefined) =>
      app.inject({ method, url, payload: EMBED, ...authorization(key) } as InjectOptions)
    const missing = 'the Authorization header is missing; it must be "Bearer <API_KEY>"'
    const wrong = 'the key in the Authorization header is not the API_KEY of this server'
    for (const [key, message] of [
      [undefined, missing],
      ['Bearer wrong', wrong],
    ] as const) {
      const { statusCode, headers, body } = await ask(key)
      expect([statusCode, headers['www-authenticate']]).toEqual([401, 'Bearer'])
      expect(JSON.parse(body)).toEqual(refusal('unauthorized', message))
    }
    expect(service.tasks).toEqual([])
  })

  test('is asked for on / where a dialect would answer', async () => {
    const { app } = openFace({ apiKey, service: new FakeService() })
    const answer = await app.inject({ method: 'POST', url: '/', payload: { inputs: 'a' } })
    expect([answer.statusCode, answer.json()]).toEqual([
      401,
      { error: expect.stringContaining('is missing'), error_type: 'Validation' },
    ])
  })

  test.each(['/ping', '/health', '/ping?x=1', '/', '/docs', '/openapi.json'])(
    '%s is open without one',
    async (url) => {
      const { app } = openFace({ apiKey, service: new FakeService() })
      expect((await app.inject(url)).statusCode).toBe(200)
    },
  )

  test('that is wrong is told before the body is looked at', async () => {
    const { app } = openFace({ apiKey, service: new FakeService() })
    const answer = await app.inject({ method: 'POST', url: '/v1/embeddings', payload: '{' })
    expect(answer.statusCode).toBe(401)
  })
})

describe('an open server', () => {
  test.each(['', 'Bearer None', 'bearer x'])('does not look at the key %j', async (authorization) => {
    const answer = await post({ headers: { authorization }, payload: { input: 'a' } })
    expect(answer.status).toBe(200)
  })
})

describe('the id of a request', () => {
  const ids = async (given: string | undefined, url = '/v1/models') => {
    const { app } = openFace({ apiKey: 'k', service: new FakeService() })
    const headers = given === undefined ? {} : { 'x-request-id': given }
    return (await app.inject({ url, headers })).headers['x-request-id']
  }

  test.each(['a', 'my request 7', '~'.repeat(128)])('%j comes back', async (id) => {
    expect(await ids(id)).toBe(id)
  })

  test.each([undefined, '', 'a'.repeat(129), 'é', 'a\tb'])('%j is replaced by one of our own', async (id) => {
    const [first, second] = [await ids(id), await ids(id)]
    expect(first).toMatch(/^[\da-f]{8}-[\da-f-]{27}$/)
    expect(second).not.toBe(first)
  })

  test.each(['/ping', '/', '/nowhere', '/metrics', '/docs', '/v1/%zz'])(
    'comes with the answer of %s, whatever that is',
    async (url) => {
      expect(await ids('mine', url)).toBe('mine')
    },
  )
})

test('what comes while the server closes is refused in the shape of its route', async () => {
  const { app } = openFace({ service: new FakeService() })
  const port = await listenAnywhere(app)
  const { socket, all } = connectRaw(port, 'GET /v1/models HTTP/1.1\r\nhost: here\r\n\r\n')
  await once(socket, 'data')
  app.server.closeIdleConnections = () => {}
  const closing = app.close()
  socket.write('GET /info HTTP/1.1\r\nhost: here\r\nx-request-id: mine\r\n\r\n')
  const [, last = ''] = (await all).split(/(?=HTTP\/1\.1 \d{3} )/)
  const { status, headers, body } = parseAnswer(last)
  expect([status, headers.get('connection'), headers.get('x-request-id')]).toEqual([429, 'close', 'mine'])
  expect(body).toMatchObject({ error_type: 'Overloaded' })
  await closing
})

describe('a path', () => {
  test.each(['/v1/%zz', '/%', '/v1/embeddings/%c0%80%'])(
    '%s that cannot be decoded is refused',
    async (url) => {
      const { app } = openFace({ service: new FakeService() })
      const answer = await app.inject({ method: 'GET', url })
      expect([answer.statusCode, answer.json()]).toEqual([
        400,
        refusal('invalid_request', expect.stringContaining(url)),
      ])
    },
  )
})

test('what throws unforeseen is an internal error in the same shape', async () => {
  const app = createServer()
  app.get('/x', () => {
    throw new TypeError('a bug')
  })
  const answer = await app.inject('/x')
  expect([answer.statusCode, answer.json()]).toEqual([500, refusal('internal', 'a bug')])
})

test('a port that is taken is told by its code', async () => {
  const app = createServer()
  const port = await listenAnywhere(app)
  const second = createServer()
  await expect(listen(second, '127.0.0.1', port)).rejects.toMatchObject({ code: 'EADDRINUSE' })
  await Promise.all([app.close(), second.close()])
})

test('listening tells host and port, where the system chose the port', async () => {
  const app = createServer()
  const address = await listen(app, '127.0.0.1', 0)
  expect(address).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
  await app.close()
})

describe('a path that cannot be decoded', () => {
  test.each(['/%', '/%ff', '/ping%ff', '/docs%zz', '/v1/models/%c0%80', '/run%ff', '/v2/x/openai/%ff'])(
    '%s is the client’s mistake, and the server goes on',
    async (url) => {
      const { app } = openFace({ service: new FakeService(), hasGateway: true, apiKey: 'secret' })
      const answer = await app.inject({ method: 'POST', url, payload: EMBED })
      expect(answer.statusCode).toBe(400)
      expect(answer.body).toContain(url)
      expect((await app.inject('/ping')).statusCode).toBe(200)
    },
  )
})
