/** Taking and stopping over HTTP, from a gateway that misbehaves. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Platform } from '../../../../src/transports/runpod/platform.ts'
import { openPlatform } from '../../../../src/transports/runpod/platform.ts'
import { answerBegun } from '../../../fakes/answer-begun.ts'
import type { Answer, PlatformServer } from '../../../fakes/platform-server.ts'
import { drop, json, openPlatformServer, silence, status } from '../../../fakes/platform-server.ts'
import { recordLog } from '../../../fakes/recording-log.ts'

let server: PlatformServer
let platform: Platform
/** Pauses that the platform made: none takes any time here. */
let pauses: number[]
beforeEach(async () => {
  server = await openPlatformServer()
  pauses = []
  platform = open()
})
afterEach(async () => {
  await platform.close()
  await server.close()
})

function open(options: { takeUrl?: string; apiKey?: string } = {}): Platform {
  return openPlatform({
    takeUrl: `${server.origin}/v2/ep/job-take/$ID?gpu=x`,
    doneUrl: `${server.origin}/v2/ep/job-done/$RUNPOD_POD_ID/$ID?gpu=x`,
    workerId: 'w1',
    version: '1.2.3',
    log: recordLog().log,
    pause: async (ms) => void pauses.push(ms),
    ...options,
  })
}

function take(answer: Answer, count = 1, signal = new AbortController().signal) {
  server.answers.splice(0, Infinity, answer)
  return platform.take(count, { jobsInProgress: false, signal })
}

/** One byte more than the 256 MiB that are read. */
const oversize: Answer = (response) => {
  response.writeHead(200, { 'content-type': 'application/json' })
  const piece = Buffer.alloc(2 ** 24, ' ')
  let pieces = 0
  const write = (): void => {
    if (pieces++ < 16) response.write(piece, () => write())
    else response.end(' ')
  }
  write()
}

/** Holds the event loop. */
function block(ms: number): void {
  const endMs = performance.now() + ms
  while (performance.now() < endMs);
}

/** A 200 with this body. */
function body(text: string, type = 'application/json'): Answer {
  return (response) => response.writeHead(200, { 'content-type': type }).end(text)
}

const JOB = { id: 'a', input: { input: 'hi' } }

describe('a take', () => {
  test('asks at the right address, for as many jobs as are wanted', async () => {
    await take(json(JOB))
    await take(json([JOB]), 5)
    expect(server.asked.map(({ method, url }) => [method, url])).toEqual([
      ['GET', '/v2/ep/job-take/w1?gpu=x&job_in_progress=0'],
      ['GET', '/v2/ep/job-take-batch/w1?gpu=x&batch_size=5&job_in_progress=0'],
    ])
  })

  test('sends the raw key and the program, and no key where there is none', async () => {
    await take(json(JOB))
    expect(server.asked[0]?.headers).not.toHaveProperty('authorization')
    await platform.close()
    platform = open({ apiKey: 'secret' })
    await take(json(JOB))
    expect(server.asked[1]?.headers).toMatchObject({
      authorization: 'secret',
      'user-agent': 'runpod-worker-embeddings/1.2.3',
    })
  })

  test('uses its connections again and again', async () => {
    for (let i = 0; i < 20; i++) await take(i % 2 === 0 ? json(JOB) : status(204))
    // A second one where the first has not come to rest yet.
    expect(server.connectionCount()).toBeLessThanOrEqual(2)
  })

  test.each<[string, Answer, unknown[], number[]]>([
    ['one job', json(JOB), [JOB], []],
    ['a batch', json([JOB, { id: 'b' }]), [JOB, { id: 'b' }], []],
    ['a charset in the type', body(JSON.stringify(JOB), 'application/json; charset=utf-8'), [JOB], []],
    ['204', status(204), [], [75]],
    ['200 with no body', status(200), [], [75]],
    ['an empty batch', json([]), [], [75]],
    ['null', json(null), [], [75]],
    ['202', status(202), [], [75]],
  ])('answered with %s gives its jobs, and a pause where there is none', async (_, answer, jobs, paused) => {
    expect(await take(answer)).toEqual(jobs)
    expect(pauses).toEqual(paused)
  })

  test('answered with 400, as FlashBoot does, waits half a second to a second and is no failure', async () => {
    expect(await take(status(400))).toEqual([])
    expect(pauses[0]).toBeGreaterThanOrEqual(500)
    expect(pauses[0]).toBeLessThanOrEqual(1000)
  })

  test.each<[string, Answer, RegExp]>([
    ['another type', body('<p>maintenance</p>', 'text/html'), /type "text\/html" and not JSON/],
    ['broken JSON', body('{"id":"a","inp'), /14 characters long, is broken JSON/],
    [
      'half a body',
      (response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 })
        response.write('{"id":', () => response.destroy())
      },
      /job-take failed/,
    ],
    ['a broken connection', drop, /job-take failed/],
    ['500', status(500), /job-take was answered with HTTP 500/],
    ['a redirect', status(302, { location: '/elsewhere' }), /HTTP 302/],
  ])('answered with %s is to be asked again, later and later', async (_, answer, message) => {
    const error = await take(answer).catch((error: unknown) => error)
    expect(error).toMatchObject({ name: 'RetryLater', message: expect.stringMatching(message) })
    let longest = 0
    for (let i = 0; i < 12; i++) {
      const { retryMs } = await take(answer).catch((error) => error)
      expect(retryMs).toBeGreaterThanOrEqual(50)
      longest = Math.max(longest, retryMs)
    }
    // With full jitter, the longest of those drawn from 0 to 10 s.
    expect(longest).toBeGreaterThan(1000)
    expect(longest).toBeLessThanOrEqual(10_000)
  })

  test('broken JSON is not quoted: it holds a client’s text', async () => {
    await expect(take(body('{"input":"private'))).rejects.not.toThrow(/private/)
  })

  test('that succeeds makes the next failure a first one', async () => {
    for (let i = 0; i < 10; i++) await take(status(500)).catch(() => {})
    await take(status(204))
    for (let i = 0; i < 5; i++) {
      await take(status(204))
      await expect(take(status(500))).rejects.toSatisfy(({ retryMs }) => retryMs <= 500)
    }
  })

  test.each([401, 403, 404])('answered with %i is asked again slowly', async (code) => {
    await expect(take(status(code))).rejects.toMatchObject({ status: code, retryMs: 15_000 })
  })

  test.each([
    [{}, 5000],
    [{ 'retry-after': '2' }, 2000],
    [{ 'retry-after': '99999' }, 60_000],
    [{ 'retry-after': 'soon' }, 5000],
  ])('answered with 429 and %o waits %i ms', async (headers, retryMs) => {
    await expect(take(status(429, headers as Record<string, string>))).rejects.toMatchObject({ retryMs })
  })

  test('that nobody listens to is to be asked again', async () => {
    await server.close()
    await expect(take(status(204))).rejects.toMatchObject({ name: 'RetryLater', status: undefined })
    server = await openPlatformServer()
  })
})

describe('a batch', () => {
  const sizes = () =>
    server.asked.map(({ url }) => new URL(url, server.origin).searchParams.get('batch_size'))

  test('has 64 jobs at most', async () => {
    await take(json([JOB]), 300)
    expect(sizes()).toEqual(['64'])
  })

  test.each<[string, Answer]>([
    ['is broken JSON', body('[{"id":"a","inp')],
    [
      'breaks off',
      (response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 })
        response.write('[{"id":', () => response.destroy())
      },
    ],
    ['is too large', oversize],
  ])('that %s is asked for again with half as many jobs', async (_, answer) => {
    for (let i = 0; i < 3; i++) await take(answer, 300).catch(() => {})
    await take(json([JOB]), 5)
    expect(sizes()).toEqual(['64', '32', '16', '5'])
  })

  test.each<[string, Answer]>([
    ['500', status(500)],
    ['a broken connection', drop],
  ])(
    'that fails with %s is asked for again as it was: nothing came that was too large',
    async (_, answer) => {
      await take(answer, 300).catch(() => {})
      await take(json([JOB]), 300)
      expect(sizes()).toEqual(['64', '64'])
    },
  )

  test('grows again when smaller ones have come', async () => {
    await take(body('['), 2).catch(() => {})
    for (let i = 0; i < 11; i++) await take(json([JOB]), 300)
    // One at a time has an address of its own.
    expect(sizes()).toEqual(['2', ...Array.from({ length: 10 }, () => null), '2'])
  })
})

describe('an aborted take', () => {
  test('rejects soon while nothing has come', async () => {
    const controller = new AbortController()
    const taking = take(silence, 1, controller.signal)
    await expect.poll(() => server.asked.length).toBe(1)
    controller.abort()
    await expect(taking).rejects.toMatchObject({ name: 'AbortError' })
  })

  test('still gives the jobs of an answer that has arrived and was not read yet', async () => {
    const controller = new AbortController()
    const sent = Promise.withResolvers<void>()
    const taking = take(
      (response) => {
        response.on('finish', sent.resolve)
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(JOB))
      },
      1,
      controller.signal,
    )
    await sent.promise
    controller.abort()
    // However late the process gets to it.
    block(200)
    expect(await taking).toEqual([JOB])
  })

  test('still gives the jobs of an answer that has begun to come', async () => {
    const controller = new AbortController()
    const text = JSON.stringify(JOB)
    let finish = () => {}
    const begun = answerBegun()
    const taking = take(
      (response) => {
        response.writeHead(200, { 'content-type': 'application/json' }).write(text.slice(0, 5))
        finish = () => response.end(text.slice(5))
      },
      1,
      controller.signal,
    )
    await begun
    controller.abort()
    finish()
    expect(await taking).toEqual([JOB])
  })
})

describe('the stop channel', () => {
  const { signal } = new AbortController()

  test('gives the ids of jobs that shall stop, and only strings', async () => {
    server.answers.push(json({ jobsToStop: ['a', 7, null, 'b'] }))
    expect(await platform.stopped(signal)).toEqual(['a', 'b'])
    expect(server.asked[0]?.url).toBe('/v2/ep/job-stop/w1?gpu=x')
  })

  test.each<[string, Answer]>([
    ['204', status(204)],
    ['null', json(null)],
    ['no list', json({ jobsToStop: 'all' })],
  ])('answered with %s waits a second', async (_, answer) => {
    server.answers.push(answer)
    expect(await platform.stopped(signal)).toEqual([])
    expect(pauses).toEqual([1000])
  })

  test('backs off to minutes where the platform has none', async () => {
    server.answers.push(status(404))
    const waits: number[] = []
    for (let i = 0; i < 6; i++) {
      waits.push(await platform.stopped(signal).catch(({ retryMs }) => retryMs))
    }
    expect(waits).toEqual([1000, 1000, 15_000, 60_000, 300_000, 300_000])
  })

  test('is silent where its address cannot be told', async () => {
    await platform.close()
    platform = open({ takeUrl: `${server.origin}/jobs/$ID` })
    const controller = new AbortController()
    const stopped = platform.stopped(controller.signal)
    controller.abort()
    await expect(stopped).rejects.toMatchObject({ name: 'AbortError' })
    expect(server.asked).toEqual([])
  })
})

test.each([
  [{ takeUrl: undefined }, /RUNPOD_WEBHOOK_GET_JOB is not set/],
  [{ doneUrl: 'JOB_DONE_URL' }, /RUNPOD_WEBHOOK_POST_OUTPUT is "JOB_DONE_URL"/],
])('a platform without %o is refused', (urls, message) => {
  const options = { takeUrl: 'http://h/job-take/$ID', doneUrl: 'http://h/job-done/$ID', version: '1' }
  expect(() => openPlatform({ ...options, log: recordLog().log, ...urls })).toThrow(message)
})
