/** Against a server of this machine; names are looked up in a table of the test's own. */
import type { LookupAddress } from 'node:dns'
import { once } from 'node:events'
import type { RequestListener, Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { LookupAll } from '../../../src/base/public-address.ts'
import type { FetchMediaOptions } from '../../../src/media/fetch-media.ts'
import { fetchMedia } from '../../../src/media/fetch-media.ts'

const PICTURE = Buffer.from('\x89PNG and so on', 'latin1')

let server: Server
let port: number
let asked: { readonly url: string | undefined; readonly headers: Readonly<Record<string, unknown>> }[]
let answers: Record<string, RequestListener>
let addresses: Record<string, readonly string[]>
let lookedUp: string[]

beforeEach(async () => {
  asked = []
  answers = { '/a.png': (_, response) => response.end(PICTURE) }
  addresses = { 'media.test': ['127.0.0.1'] }
  lookedUp = []
  server = createServer((request, response) => {
    asked.push({ url: request.url, headers: request.headers })
    const answer = answers[request.url ?? '']
    if (answer === undefined) response.writeHead(404).end('no')
    else answer(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})

afterEach(async () => {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
})

const lookup: LookupAll = (hostname, _, callback) => {
  lookedUp.push(hostname)
  const found: LookupAddress[] = (addresses[hostname] ?? []).map((address) => ({
    address,
    family: address.includes(':') ? 6 : 4,
  }))
  const error = Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' })
  queueMicrotask(() => callback(found.length === 0 ? error : null, found))
}

function at(path: string, host = 'media.test'): string {
  return `http://${host}:${port}${path}`
}

function fetchFrom(url: string, options: Partial<FetchMediaOptions> = {}) {
  const policy = [`media.test:${port}`]
  return fetchMedia(url, { policy, maxBytes: 1000, timeoutMs: 20_000, lookup, ...options })
}

async function refusal(fetching: Promise<unknown>) {
  const error: unknown = await fetching.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toMatchObject({ name: 'ServerError', code: 'invalid_request' })
  return (error as Error).message
}

/** Answers with that and does not end. */
function begin(headers: Readonly<Record<string, string>>, body: string): RequestListener {
  return (_, response) => void response.writeHead(200, headers).write(body)
}

function redirect(location: string, status = 302): RequestListener {
  return (_, response) => response.writeHead(status, { location }).end('moved')
}

test('a file comes back in a buffer of its own', async () => {
  const bytes = await fetchFrom(at('/a.png'))
  expect(Buffer.from(bytes)).toEqual(PICTURE)
  expect([bytes.byteOffset, bytes.buffer.byteLength]).toEqual([0, PICTURE.length])
  expect(asked[0]?.headers).toMatchObject({
    'user-agent': 'runpod-worker-embeddings',
    'accept-encoding': 'identity',
    host: `media.test:${port}`,
  })
})

test('what was looked up once is what is connected to', async () => {
  const rebinding: LookupAll = (hostname, options, callback) => {
    lookup(hostname, options, callback)
    addresses['media.test'] = ['169.254.169.254']
  }
  await fetchFrom(at('/a.png'), { lookup: rebinding })
  expect(lookedUp).toEqual(['media.test'])
})

describe('a public policy', () => {
  test.each([
    ['http://127.0.0.1/a.png', '127.0.0.1'],
    ['http://2130706433/a.png', '127.0.0.1'],
    ['http://169.254.169.254/latest/meta-data', '169.254.169.254'],
    ['http://[::1]/a.png', '[::1]'],
    ['http://[::ffff:10.0.0.1]/a.png', '[::ffff:a00:1]'],
    ['http://[64:ff9b::a00:1]/a.png', '[64:ff9b::a00:1]'],
    ['http://[2002:7f00:1::]/a.png', '[2002:7f00:1::]'],
    ['http://0.0.0.0/a.png', '0.0.0.0'],
    ['http://168.63.129.16/machine/?comp=goalstate', '168.63.129.16'],
  ])('does not fetch %s', async (url, host) => {
    expect(await refusal(fetchFrom(url, { policy: 'public' }))).toBe(
      `${host} is not the name of a public host`,
    )
  })

  test.each([
    ['127.0.0.1'],
    ['10.1.2.3'],
    ['100.64.0.1'],
    ['224.0.0.1'],
    ['fd00::1'],
    ['fe80::1'],
    // one of several, too: the next connection could be to it
    ['1.1.1.1', '192.168.1.1'],
  ])('does not fetch from a name of %s', async (...found) => {
    addresses['media.test'] = found
    const message = await refusal(fetchFrom(at('/a.png'), { policy: 'public' }))
    expect(message).toBe('media.test is not the name of a public host')
    expect(asked).toEqual([])
  })
})

describe('a list of hosts', () => {
  const only = (host: string) =>
    `its address is at ${host}; this server fetches only from the hosts in MEDIA_URLS`

  test('is the only place that is fetched from', async () => {
    addresses['other.test'] = ['127.0.0.1']
    expect(await refusal(fetchFrom(at('/a.png', 'other.test')))).toBe(only(`other.test:${port}`))
    expect(await refusal(fetchFrom('http://1.1.1.1/'))).toBe(only('1.1.1.1'))
    expect(await refusal(fetchFrom(at('/a.png'), { policy: [] }))).toBe(only(`media.test:${port}`))
    expect([asked, lookedUp]).toEqual([[], []])
  })

  test('means the default ports where it names none', async () => {
    const policy = ['media.test']
    expect(await refusal(fetchFrom(at('/a.png'), { policy }))).toBe(only(`media.test:${port}`))
    addresses = {}
    for (const url of ['http://media.test/', 'https://media.test/', 'http://media.test:80/']) {
      expect(await refusal(fetchFrom(url, { policy }))).toBe(
        'its address at media.test cannot be fetched: its name was not found',
      )
    }
    expect(await refusal(fetchFrom('https://media.test/', { policy: ['media.test:80'] }))).toBe(
      only('media.test'),
    )
    expect(await refusal(fetchFrom('https://media.test/', { policy: ['media.test:443'] }))).toMatch(
      'its name was not found',
    )
  })

  test('may have a star for what stands before a domain, which then must be public', async () => {
    const policy = [`*.pictures.test:${port}`]
    addresses['a.b.pictures.test'] = ['127.0.0.1']
    expect(await refusal(fetchFrom(at('/a.png', 'a.b.pictures.test'), { policy }))).toBe(
      'a.b.pictures.test is not the name of a public host',
    )
    for (const host of ['pictures.test', 'evilpictures.test', 'pictures.test.evil.test']) {
      expect(await refusal(fetchFrom(at('/a.png', host), { policy }))).toBe(only(`${host}:${port}`))
    }
  })

  test('knows a name in capitals, and with the dot of the root, which no lookup or server is told', async () => {
    expect(Buffer.from(await fetchFrom(at('/a.png', 'MEDIA.test.')))).toEqual(PICTURE)
    expect(lookedUp).toEqual(['media.test'])
    expect(asked[0]?.headers['host']).toBe(`media.test:${port}`)
    answers['/old'] = redirect(at('/a.png', 'media.test.'))
    expect(Buffer.from(await fetchFrom(at('/old')))).toEqual(PICTURE)
  })

  test('names a machine of this network by its whole name, but never where keys are handed out', async () => {
    for (const address of [
      '169.254.169.254',
      'fe80::1',
      'fd00:ec2::254',
      'fd00:ec2::23',
      '100.100.100.200',
      '168.63.129.16',
      '0.0.0.0',
      '::ffff:169.254.169.254',
    ]) {
      addresses['media.test'] = [address]
      expect(await refusal(fetchFrom(at('/a.png')))).toBe('media.test is not the name of a public host')
    }
    expect(await refusal(fetchFrom('http://169.254.169.254/', { policy: ['169.254.169.254'] }))).toBe(
      '169.254.169.254 is not the name of a public host',
    )
  })
})

test('nothing is fetched where it is off, and it is said what to send instead', async () => {
  expect(await refusal(fetchFrom(at('/a.png'), { policy: 'off' }))).toBe(
    'it is an address, and this server fetches none (MEDIA_URLS=off); send the file itself, in base64',
  )
  expect([asked, lookedUp]).toEqual([[], []])
})

describe('an address', () => {
  test.each([
    ['file:///etc/passwd', 'its address begins with file:; only http: and https: are fetched'],
    ['ftp://media.test/a', 'its address begins with ftp:; only http: and https: are fetched'],
    ['data:,x', 'its address begins with data:; only http: and https: are fetched'],
    ['http://', 'its address is not a URL such as https://example.org/picture.png'],
    ['a.png', 'its address is not a URL such as https://example.org/picture.png'],
    ['http://user@media.test/', 'its address at media.test holds a user or a password; it must be without'],
    [
      'http://:secret@media.test/',
      'its address at media.test holds a user or a password; it must be without',
    ],
  ])('such as %s is none', async (url, message) => {
    expect(await refusal(fetchFrom(url))).toBe(message)
  })

  test('of nobody is told to be one, and by no address of this network', async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
    expect(await refusal(fetchFrom(at('/a.png')))).toBe(
      `its address at media.test:${port} cannot be fetched: it refused the connection`,
    )
    server.listen(0)
    await once(server, 'listening')
  })
})

describe('a redirect', () => {
  test.each([301, 302, 303, 307, 308])('with %d is followed', async (status) => {
    answers['/old'] = redirect('/a.png', status)
    expect(Buffer.from(await fetchFrom(at('/old')))).toEqual(PICTURE)
  })

  test('is followed five times and no more', async () => {
    for (let hop = 0; hop < 6; hop++) answers[`/${hop}`] = redirect(hop === 5 ? '/a.png' : `/${hop + 1}`)
    expect(await refusal(fetchFrom(at('/0')))).toBe(`media.test:${port} redirects more than 5 times`)
    expect(asked).toHaveLength(6)
    expect(Buffer.from(await fetchFrom(at('/1')))).toEqual(PICTURE)
  })

  test('leads only where the first address might have led', async () => {
    const policy = [`media.test:${port}`, `*.open.test:${port}`]
    addresses['meta.open.test'] = ['169.254.169.254']
    for (const [location, message] of [
      [at('/', 'meta.open.test'), 'meta.open.test is not the name of a public host'],
      [
        'http://169.254.169.254/latest/meta-data',
        'its address is at 169.254.169.254; this server fetches only from the hosts in MEDIA_URLS',
      ],
      ['file:///etc/passwd', 'its address begins with file:; only http: and https: are fetched'],
      ['//user:pass@media.test/', 'its address at media.test holds a user or a password; it must be without'],
      ['http://[', 'its address is not a URL such as https://example.org/picture.png'],
    ] as const) {
      answers['/old'] = redirect(location)
      expect(await refusal(fetchFrom(at('/old'), { policy }))).toBe(message)
    }
  })

  test('whose own body never ends is not waited for', async () => {
    answers['/old'] = (_, response) => void response.writeHead(302, { location: '/a.png' }).write('x')
    expect(Buffer.from(await fetchFrom(at('/old')))).toEqual(PICTURE)
  })
})

describe('an answer', () => {
  test.each([404, 403, 500, 204, 206, 304])('of status %d is no file', async (status) => {
    answers['/x'] = (_, response) => response.writeHead(status).end()
    expect(await refusal(fetchFrom(at('/x')))).toBe(
      `media.test:${port} answered its address with status ${status}`,
    )
  })

  test('that refuses and never ends is not waited for', async () => {
    answers['/x'] = (_, response) => void response.writeHead(404).write('x')
    expect(await refusal(fetchFrom(at('/x')))).toMatch('status 404')
  })

  test('that is a web page is told to be one, whatever letters it is written in', async () => {
    answers['/x'] = (_, response) =>
      response.writeHead(200, { 'content-type': 'Text/HTML; charset=utf-8' }).end('\n <!DOCTYPE html>')
    expect(await refusal(fetchFrom(at('/x')))).toBe(
      `media.test:${port} answered its address with a web page (HTML); it must be the address of the file itself`,
    )
  })

  test('that is a picture by its bytes may be called anything', async () => {
    for (const type of ['text/html', 'text/plain', 'application/octet-stream']) {
      answers['/x'] = (_, response) => response.writeHead(200, { 'content-type': type }).end(PICTURE)
      expect(Buffer.from(await fetchFrom(at('/x')))).toEqual(PICTURE)
    }
  })

  test('that is empty, or packed though nobody asked, is no file', async () => {
    answers['/x'] = (_, response) => response.writeHead(200).end()
    expect(await refusal(fetchFrom(at('/x')))).toBe(
      `media.test:${port} answered its address with an empty file`,
    )
    answers['/x'] = (_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('x')
    expect(await refusal(fetchFrom(at('/x')))).toBe(
      `media.test:${port} sent it compressed, which was not asked for`,
    )
  })

  test('may have as many bytes as are allowed', async () => {
    answers['/x'] = (_, response) => response.end(Buffer.alloc(1000, 1))
    expect(await fetchFrom(at('/x'))).toHaveLength(1000)
  })

  test('that says it has too many is not read', async () => {
    answers['/x'] = begin({ 'content-length': '1001' }, 'x')
    expect(await refusal(fetchFrom(at('/x')))).toBe(
      `the file at media.test:${port} has 1001 bytes; at most 1000 are taken (MEDIA_MAX_MB)`,
    )
  })

  test('without end is read to the limit', async () => {
    answers['/x'] = (_, response) => {
      const more = () => {
        while (response.write(Buffer.alloc(100)));
      }
      response.on('drain', more)
      more()
    }
    expect(await refusal(fetchFrom(at('/x')))).toBe(
      `the file at media.test:${port} has more bytes; at most 1000 are taken (MEDIA_MAX_MB)`,
    )
  })

  test('that breaks off before its length is no file', async () => {
    answers['/x'] = (_, response) => {
      response.writeHead(200, { 'content-length': '500' })
      response.write('x'.repeat(100), () => response.destroy())
    }
    expect(await refusal(fetchFrom(at('/x')))).toBe(
      `its address at media.test:${port} cannot be fetched: the connection was closed before the answer was complete`,
    )
  })

  test.each([
    ['in no TLS', 'https', '', 'it does not speak TLS there, which https needs'],
    ['in no HTTP', 'http', 'hello\r\n\r\n', 'its answer is not HTTP'],
    ['of a header without end', 'http', `HTTP/1.1 200 OK\r\na: ${'x'.repeat(20_000)}\r\n`, 'too long'],
  ])('%s is told to be so', async (_, protocol, answer, words) => {
    answers['/x'] = (request) => void request.socket.end(answer)
    expect(await refusal(fetchFrom(`${protocol}://media.test:${port}/x`))).toMatch(
      `its address at media.test:${port} cannot be fetched: `,
    )
    expect(await refusal(fetchFrom(`${protocol}://media.test:${port}/x`))).toContain(words)
  })

  test.each([
    ['EAI_AGAIN', 'its name could not be looked up, for now'],
    ['ENETUNREACH', 'no network leads there from here'],
    ['CERT_HAS_EXPIRED', 'its certificate has expired'],
    ['EODD', 'the connection failed (EODD)'],
    ['toString', 'the connection failed (toString)'],
  ])('that fails with %s is told in words, with the code only where there are none', async (code, words) => {
    const failing: LookupAll = (_, __, callback) =>
      callback(Object.assign(new Error('at 10.1.2.3'), { code }), [])
    expect(await refusal(fetchFrom(at('/x'), { lookup: failing }))).toBe(
      `its address at media.test:${port} cannot be fetched: ${words}`,
    )
  })

  test('that has more than its length is read to its length', async () => {
    answers['/x'] = (request) => {
      request.socket.end('HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcdef')
    }
    expect(Buffer.from(await fetchFrom(at('/x'))).toString()).toBe('abc')
  })
})

test('no connection is left behind, whatever was the answer', async () => {
  const open = async () => {
    const { promise, resolve } = Promise.withResolvers<number>()
    server.getConnections((_, count) => resolve(count))
    return promise
  }
  answers['/old'] = (_, response) => void response.writeHead(302, { location: '/x' }).write('x')
  answers['/x'] = (_, response) => void response.writeHead(404).write('x')
  await fetchFrom(at('/a.png'))
  await refusal(fetchFrom(at('/old')))
  await vi.waitFor(async () => expect(await open()).toBe(0))
})

describe('time', () => {
  const tooSlow = (host: string) =>
    `its address at ${host}:${port} did not answer in full within 0.2 s (MEDIA_TIMEOUT_SECONDS)`

  test('is up for a server that says nothing', async () => {
    answers['/x'] = () => {}
    expect(await refusal(fetchFrom(at('/x'), { timeoutMs: 200 }))).toBe(tooSlow('media.test'))
  })

  test('is up for a body that drips, and for redirects without haste', async () => {
    answers['/x'] = (_, response) => {
      const timer = setInterval(() => response.write('x'), 20)
      response.on('close', () => clearInterval(timer))
    }
    expect(await refusal(fetchFrom(at('/x'), { timeoutMs: 200 }))).toBe(tooSlow('media.test'))
    answers['/y'] = (_, response) => {
      setTimeout(() => response.writeHead(302, { location: '/y' }).end(), 80)
    }
    expect(await refusal(fetchFrom(at('/y'), { timeoutMs: 200 }))).toBe(tooSlow('media.test'))
  })

  test('is up for the last of those that redirects led to, which is named', async () => {
    addresses['slow.test'] = ['127.0.0.1']
    answers['/old'] = redirect(at('/x', 'slow.test'))
    answers['/x'] = () => {}
    const policy = [`media.test:${port}`, `slow.test:${port}`]
    expect(await refusal(fetchFrom(at('/old'), { policy, timeoutMs: 200 }))).toBe(tooSlow('slow.test'))
  })

  test('is up for a name that nobody finds', async () => {
    expect(await refusal(fetchFrom(at('/x'), { timeoutMs: 200, lookup: () => {} }))).toBe(
      tooSlow('media.test'),
    )
  })

  test('is left to nobody who has gone', async () => {
    const client = new AbortController()
    answers['/x'] = () => client.abort()
    const { signal } = client
    await expect(fetchFrom(at('/x'), { signal })).rejects.toMatchObject({ code: 'cancelled' })
    asked = []
    await expect(fetchFrom(at('/x'), { signal })).rejects.toMatchObject({ code: 'cancelled' })
    expect(asked).toEqual([])
  })
})
