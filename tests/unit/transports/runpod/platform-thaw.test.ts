/** A process that was frozen: its connections are dead and no error says so. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { EventEmitter, once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { PlatformHttp } from '../../../../src/transports/runpod/platform-http.ts'
import { openPlatform } from '../../../../src/transports/runpod/platform.ts'
import { watchThaw } from '../../../../src/transports/runpod/watch-thaw.ts'
import { answerBegun } from '../../../fakes/answer-begun.ts'
import type { PlatformServer } from '../../../fakes/platform-server.ts'
import { json, openPlatformServer, silence, status } from '../../../fakes/platform-server.ts'
import { recordLog } from '../../../fakes/recording-log.ts'

/** Holds the event loop. */
function block(ms: number): void {
  const endMs = performance.now() + ms
  while (performance.now() < endMs);
}

const JOB = { id: 'a' }
const { signal } = new AbortController()

describe('the watch', () => {
  beforeEach(() => vi.useFakeTimers())
  afterEach(() => vi.useRealTimers())

  test('tells of a gap in the clock once, and of none where time goes by', () => {
    const gaps: number[] = []
    let offsetMs = 0
    const unwatch = watchThaw({ now: () => Date.now() + offsetMs, onThaw: (gapMs) => gaps.push(gapMs) })
    vi.advanceTimersByTime(60_000)
    expect(gaps).toEqual([])
    offsetMs = 3_600_000
    vi.advanceTimersByTime(10_000)
    expect(gaps).toEqual([3_601_000])
    offsetMs = 0
    vi.advanceTimersByTime(10_000)
    unwatch()
    offsetMs = 3_600_000
    vi.advanceTimersByTime(10_000)
    expect(gaps).toHaveLength(1)
  })
})

describe('connections', () => {
  let server: PlatformServer
  let http: PlatformHttp
  beforeEach(async () => {
    server = await openPlatformServer()
    http = new PlatformHttp({})
  })
  afterEach(async () => {
    await http.close()
    await server.close()
  })

  const get = (limitMs = 20_000) =>
    http.send({ method: 'GET', url: `${server.origin}/poll`, signal, limitMs })
  const post = () => {
    const body = [Buffer.from('result')]
    return http.send({ method: 'POST', url: `${server.origin}/done`, body, signal, limitMs: 20_000 })
  }

  test('are replaced, and what nobody answered on them is asked anew', async () => {
    server.answers.push(silence, silence, json(JOB))
    const calls = [get(), post()]
    await expect.poll(() => server.asked.length).toBe(2)
    http.renew()
    expect(await Promise.all(calls)).toMatchObject([{ status: 200 }, { status: 200 }])
    expect(server.asked.map(({ body }) => body)).toEqual(expect.arrayContaining(['', 'result', '', 'result']))
    expect(server.connectionCount()).toBe(4)
  })

  test('that were sound all along lose no answer: what arrived while the process was busy is read', async () => {
    const sent = Promise.withResolvers<void>()
    server.answers.push((response) => {
      response.on('finish', sent.resolve)
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(JOB))
    }, status(204))
    const call = get()
    await sent.promise
    http.renew()
    block(200)
    expect(await call).toMatchObject({ text: JSON.stringify(JOB) })
    expect(server.asked).toHaveLength(1)
  })

  test('let an answer that has begun come to its end', async () => {
    let finish = () => {}
    server.answers.push((response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).write('[1,')
      finish = () => response.end('2]')
    })
    const begun = answerBegun()
    const call = get()
    await begun
    http.renew()
    setTimeout(finish, 300)
    expect(await call).toMatchObject({ text: '[1,2]' })
    expect(server.asked).toHaveLength(1)
  })

  test('that lie idle are not used again', async () => {
    server.answers.push(json(1))
    for (let calls = 0; calls < 2; calls++) {
      await get()
      // So that the connection has come to rest.
      await setImmediate()
      await setImmediate()
    }
    expect(server.connectionCount()).toBe(1)
    http.renew()
    await get()
    expect(server.connectionCount()).toBe(2)
  })

  test('do not answer within the limit', async () => {
    server.answers.push(silence)
    expect(await get(50)).toBeUndefined()
  })

  test('bring a body for as long as it goes on coming, and give up one that falls silent', async () => {
    const piece = async () => {
      await once(chunkRead, 'read')
      await setImmediate()
    }
    const chunkRead = new EventEmitter()
    const onChunk = () => chunkRead.emit('read')
    subscribe('undici:request:bodyChunkReceived', onChunk)
    let write = (_text: string) => {}
    server.answers.push((response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      write = (text) => void response.write(text)
      response.flushHeaders()
    })
    const begun = answerBegun()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const call = get(5000).catch((error: unknown) => error)
      await begun
      for (let seconds = 0; seconds < 100; seconds += 20) {
        write('1')
        await piece()
        vi.advanceTimersByTime(20_000)
      }
      write('2')
      await piece()
      vi.advanceTimersByTime(30_000)
      expect(await call).toMatchObject({
        name: 'BrokenAnswer',
        message: 'the answer broke off: nothing came for 30 seconds',
      })
    } finally {
      unsubscribe('undici:request:bodyChunkReceived', onChunk)
      vi.useRealTimers()
    }
  })

  test('do not bring a body over the limit', async () => {
    server.answers.push(json('x'.repeat(100)))
    const ask = { method: 'GET', url: server.origin, signal, limitMs: 5000 } as const
    await expect(http.send({ ...ask, maxBytes: 50 })).rejects.toThrow('more than 50 bytes')
    expect(await http.send({ ...ask, maxBytes: 102 })).toMatchObject({ status: 200 })
  })
})

test('a platform that thaws says so and asks for jobs anew', async () => {
  const server = await openPlatformServer()
  const { log, named } = recordLog()
  let offsetMs = 0
  const platform = openPlatform({
    takeUrl: `${server.origin}/job-take/$ID`,
    doneUrl: `${server.origin}/job-done/$ID`,
    version: '1',
    log,
    now: () => Date.now() + offsetMs,
  })
  server.answers.push(silence, json(JOB))
  const taking = platform.take(1, { jobsInProgress: false, signal })
  await expect.poll(() => server.asked.length).toBe(1)
  offsetMs = 60_000
  expect(await taking).toEqual([JOB])
  expect(named('thawed')).toHaveLength(1)
  await platform.close()
  await server.close()
})
