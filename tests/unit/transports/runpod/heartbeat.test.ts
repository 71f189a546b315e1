import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { RevivingThread } from '../../../../src/base/reviving-thread.ts'
import { Heartbeat, openHeartbeat, sendUnhealthy } from '../../../../src/transports/runpod/heartbeat.ts'
import type { HeartbeatCalls } from '../../../../src/transports/runpod/heartbeat-protocol.ts'
import type { PlatformServer } from '../../../fakes/platform-server.ts'
import { drop, openPlatformServer, silence, status } from '../../../fakes/platform-server.ts'
import { recordLog } from '../../../fakes/recording-log.ts'
import { settle } from '../../../fakes/runner.ts'

const INTERVAL_MS = 300
/** Timers round. */
const EARLY_MS = 5

let server: PlatformServer
let heartbeat: Heartbeat | undefined
let recorded: ReturnType<typeof recordLog>
/** When each ping came, in milliseconds since the test began: never before it was due, whatever else the machine does. */
let times: number[]
let beganMs: number
beforeEach(async () => {
  server = await openPlatformServer()
  recorded = recordLog()
  times = []
  beganMs = performance.now()
})
afterEach(async () => {
  await heartbeat?.close()
  heartbeat = undefined
  await server.close()
})

const options = (changes: object = {}) => ({
  pingUrl: `${server.origin}/v2/ep/ping/$RUNPOD_POD_ID?gpu=x`,
  apiKey: 'secret',
  workerId: 'w1',
  pingIntervalMs: INTERVAL_MS,
  version: '1.2.3 beta',
  log: recorded.log,
  ...changes,
})

function answerPings(answer = status(200)): void {
  server.answers.splice(0, Infinity, (response, asked, request) => {
    times.push(performance.now() - beganMs)
    answer(response, asked, request)
  })
}

const urls = () => server.asked.map(({ url }) => url)
const IDLE = '/v2/ep/ping/w1?gpu=x&runpod_version=1.2.3%20beta'

test('pings come at once and then at every interval, with the raw key', async () => {
  answerPings()
  heartbeat = await openHeartbeat(options())
  await expect.poll(() => times.length, { timeout: 4000 }).toBe(3)
  expect(urls()).toEqual([IDLE, IDLE, IDLE])
  expect(server.asked[0]).toMatchObject({ method: 'GET', headers: { authorization: 'secret' } })
  expect(times[1]).toBeGreaterThan(INTERVAL_MS - EARLY_MS)
  expect(times[2]).toBeGreaterThan(2 * INTERVAL_MS - EARLY_MS)
  // None is kept that a freeze could make useless.
  expect(server.connectionCount()).toBe(3)
})

test('pings name the jobs held', async () => {
  answerPings()
  heartbeat = await openHeartbeat(options())
  heartbeat?.setJobs(['j0', 'j1'])
  await expect
    .poll(urls, { timeout: 3000 })
    .toContain('/v2/ep/ping/w1?gpu=x&job_id=j0%2Cj1&runpod_version=1.2.3%20beta')
  heartbeat?.setJobs([])
  await expect.poll(() => urls().at(-1), { timeout: 3000 }).toBe(IDLE)
})

test('the ids of many jobs are spread over several pings of a beat, each of a length that servers take', async () => {
  answerPings()
  heartbeat = await openHeartbeat(options())
  const ids = Array.from({ length: 350 }, (_, i) => `job-${i}-${'x'.repeat(36)}-e1`)
  heartbeat?.setJobs(ids)
  const named = () => server.asked.map(({ url }) => new URL(url, server.origin).searchParams.get('job_id'))
  await expect.poll(() => named().filter((list) => list !== null).length).toBeGreaterThanOrEqual(4)
  const beat = named()
    .filter((list) => list !== null)
    .slice(0, 4)
  expect(beat.flatMap((list) => list.split(',')).toSorted()).toEqual(ids.toSorted())
  for (const { url } of server.asked) expect(url.length).toBeLessThan(8000)
})

describe('the jobs held', () => {
  const told: (readonly string[])[] = []
  /** In place of a thread that says nothing back until it is let. */
  function fakeHeartbeat(answer: () => Promise<object>): Heartbeat {
    told.length = 0
    const thread = {
      call: (kind: string, { jobIds }: { jobIds: readonly string[] }) => {
        if (kind === 'setJobs') told.push(jobIds)
        return answer()
      },
    }
    // As much of a thread as `setJobs` uses.
    return new Heartbeat(thread as unknown as RevivingThread<HeartbeatCalls>, recorded.log)
  }

  test('are told to the thread once a turn, however often they change', async () => {
    const fake = fakeHeartbeat(async () => ({}))
    const held = new Set<string>()
    for (let i = 0; i < 1000; i++) {
      held.add(`j${i}`)
      fake.setJobs(held.values())
      if (i > 1) held.delete(`j${i}`)
    }
    expect(told).toEqual([])
    await settle()
    expect(told).toEqual([['j0', 'j1']])
  })

  test('that change while the thread is being told are told after it, the last of them only', async () => {
    const answer = Promise.withResolvers<object>()
    const fake = fakeHeartbeat(() => answer.promise)
    fake.setJobs(['a'])
    await settle()
    fake.setJobs(['b'])
    await settle()
    fake.setJobs(['c'])
    await settle()
    expect(told).toEqual([['a']])
    answer.resolve({})
    await settle()
    expect(told).toEqual([['a'], ['c']])
  })
})

test('pings go on while the main thread is busy', async () => {
  const file = join(import.meta.dirname, '../../../fakes/ping-server.ts')
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => (text += String(chunk)))
    const printed = () => text.split('\n').slice(0, -1).map(Number)
    await expect.poll(printed, { timeout: 5000 }).toHaveLength(1)
    const pingUrl = `http://127.0.0.1:${printed()[0]}/ping`
    heartbeat = await openHeartbeat(options({ pingUrl, pingIntervalMs: 1000 }))
    await expect.poll(printed).toHaveLength(2)
    const startMs = Date.now()
    while (Date.now() - startMs < 2500);
    const endMs = Date.now()
    await expect.poll(() => printed().length).toBeGreaterThanOrEqual(4)
    const during = printed()
      .slice(1)
      .filter((ms) => ms > startMs && ms < endMs)
    expect(during.length).toBeGreaterThanOrEqual(2)
  } finally {
    child.kill()
  }
})

describe('a ping that fails', () => {
  test.each([429, 500, 502, 503, 504])('with %i is made again at once', async (code) => {
    answerPings(status(code))
    heartbeat = await openHeartbeat(options({ pingIntervalMs: 60_000 }))
    await expect.poll(() => times.length).toBe(2)
  })

  test('on a broken connection is made again at once', async () => {
    answerPings(drop)
    heartbeat = await openHeartbeat(options({ pingIntervalMs: 60_000 }))
    await expect.poll(() => times.length).toBe(2)
  })

  test('with 403 is not made again before its time', async () => {
    answerPings(status(403))
    heartbeat = await openHeartbeat(options())
    await expect.poll(() => times.length, { timeout: 3000 }).toBe(2)
    expect(times[1]).toBeGreaterThan(INTERVAL_MS - EARLY_MS)
  })

  test('never piles up: one that hangs stands for the beats that it outlasts', async () => {
    answerPings(silence)
    heartbeat = await openHeartbeat(options())
    await expect.poll(() => times.length, { timeout: 4000 }).toBeGreaterThanOrEqual(2)
    // Two intervals are its limit; then it is made again.
    expect(times[1]).toBeGreaterThan(2 * INTERVAL_MS - EARLY_MS)
  })

  test('is logged once a minute at most, with how many did', async () => {
    answerPings(status(403))
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    try {
      heartbeat = await openHeartbeat(options({ pingIntervalMs: 60_000 }))
      await vi.waitUntil(() => times.length === 1)
      vi.advanceTimersByTime(59_999)
      expect(recorded.lines).toEqual([])
      vi.advanceTimersByTime(1)
      await vi.waitUntil(() => recorded.lines.length === 1)
      expect(recorded.lines).toEqual([{ level: 'warn', event: 'ping_failed', count: 1, error: 'HTTP 403' }])
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('there is no heartbeat', () => {
  test.each([['pingUrl'], ['apiKey'], ['workerId']])('without %s', async (field) => {
    expect(await openHeartbeat(options({ [field]: undefined }))).toBeUndefined()
  })

  test('after it is closed', async () => {
    answerPings()
    heartbeat = await openHeartbeat(options())
    await expect.poll(() => times.length).toBe(1)
    await heartbeat?.close()
    heartbeat?.setJobs(['late'])
    const count = times.length
    // A second one, opened now: when its pings have come, one of the first would have too.
    heartbeat = await openHeartbeat(options({ workerId: 'w2' }))
    await expect.poll(() => urls().filter((url) => url.includes('/w2')).length, { timeout: 4000 }).toBe(3)
    expect(times).toHaveLength(count + 3)
  })
})

test('a thread that dies is replaced, and knows the jobs', async () => {
  const file = new URL('../../../fakes/mortal-heartbeat-thread.ts', import.meta.url)
  heartbeat = new Heartbeat(new RevivingThread<HeartbeatCalls>(file, 'heartbeat'), recorded.log)
  answerPings()
  await heartbeat.start({ url: `${server.origin}/started`, apiKey: '', intervalMs: 0, version: '' })
  await expect.poll(urls).toEqual(['/started?'])
  heartbeat.setJobs(['a', 'die'])
  await expect.poll(() => recorded.named('heartbeat_died').length).toBe(1)
  await expect.poll(urls, { timeout: 4000 }).toEqual(['/started?', '/started?a,die'])
})

describe('the last ping of a worker that cannot start', () => {
  test('says which check failed and why, shortened', async () => {
    answerPings()
    await sendUnhealthy(options(), 'model', `no file & ${'x'.repeat(500)}`)
    const { searchParams } = new URL(server.asked[0]?.url ?? '', server.origin)
    expect(Object.fromEntries(searchParams)).toEqual({
      gpu: 'x',
      status: 'unhealthy',
      check: 'model',
      reason: `no file & ${'x'.repeat(246)}`,
      runpod_version: '1.2.3 beta',
    })
    expect(server.asked[0]?.headers['authorization']).toBe('secret')
  })

  test('takes two seconds at most, and never throws', async () => {
    answerPings(silence)
    const startMs = performance.now()
    await sendUnhealthy(options(), 'model', 'x')
    expect(performance.now() - startMs).toBeLessThan(2500)
    await sendUnhealthy(options({ pingUrl: 'http://127.0.0.1:1/' }), 'model', 'x')
    await sendUnhealthy(options({ pingUrl: undefined }), 'model', 'x')
  })
})
