/** Results and progress over HTTP, to a gateway that misbehaves. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { EncodedResult, Receipt } from '../../../../src/transports/runpod/job-source.ts'
import { ResultReplaced } from '../../../../src/transports/runpod/job-source.ts'
import type { Platform } from '../../../../src/transports/runpod/platform.ts'
import { openPlatform } from '../../../../src/transports/runpod/platform.ts'
import type { Answer, PlatformServer } from '../../../fakes/platform-server.ts'
import { drop, openPlatformServer, status } from '../../../fakes/platform-server.ts'
import { recordLog } from '../../../fakes/recording-log.ts'

let server: PlatformServer
let platform: Platform
let recorded: ReturnType<typeof recordLog>
let pauses: number[]
/** Moved by the pauses alone. */
let nowMs: number
beforeEach(async () => {
  server = await openPlatformServer()
  recorded = recordLog()
  pauses = []
  nowMs = 1_700_000_000_000
  platform = openPlatform({
    takeUrl: `${server.origin}/v2/ep/job-take/$ID`,
    doneUrl: `${server.origin}/v2/ep/job-done/$RUNPOD_POD_ID/$ID?gpu=x`,
    apiKey: 'secret',
    workerId: 'w1',
    version: '1.2.3',
    log: recorded.log,
    now: () => nowMs,
    pause: async (ms) => {
      pauses.push(ms)
      nowMs += ms
    },
  })
})
afterEach(async () => {
  await platform.close()
  await server.close()
})

function output(value: unknown, stopPod = false): EncodedResult {
  const json = Buffer.from(JSON.stringify(value))
  return { outcome: { output: { json, isListOfOne: false } }, stopPod }
}

function finish(result: EncodedResult, ...answers: Answer[]): Promise<Receipt> {
  server.answers.push(...answers)
  return platform.finish('job 1', result, new AbortController().signal)
}

const bodies = () => server.asked.map(({ body }) => JSON.parse(body))

test('a result is posted as the platform knows it', async () => {
  expect(await finish(output({ data: ['é'] }), status(200))).toBe('delivered')
  const [asked] = server.asked
  expect(asked).toMatchObject({
    method: 'POST',
    url: '/v2/ep/job-done/w1/job%201?gpu=x&isStream=false',
    body: '{"output":{"data":["é"]}}',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      authorization: 'secret',
      'x-request-id': 'job%201',
      'content-length': String(Buffer.byteLength('{"output":{"data":["é"]}}')),
    },
  })
})

test('an error is posted as a string, and a worn worker asks for a new one', async () => {
  await finish({ outcome: { error: 'no "such" model' }, stopPod: false }, status(200))
  await finish({ outcome: { error: 'broken' }, stopPod: true }, status(200))
  await finish(output([1], true), status(200))
  expect(bodies()).toEqual([
    { error: 'no "such" model' },
    { error: 'broken', stopPod: true },
    { output: [1], stopPod: true },
  ])
})

describe('a result is posted again', () => {
  test.each<[string, Answer]>([
    ['a connection that breaks before the answer', drop],
    ['408', status(408)],
    ['425', status(425)],
    ['429', status(429)],
    ['500', status(500)],
    ['503', status(503)],
    ['401', status(401)],
    ['a redirect', status(307, { location: '/' })],
  ])('after %s', async (_, answer) => {
    await finish(output(1), answer, answer, status(200))
    expect(bodies()).toEqual([{ output: 1 }, { output: 1 }, { output: 1 }])
    expect(pauses).toHaveLength(2)
    expect(recorded.named('result_retry')[0]).toMatchObject({ jobId: 'job 1', count: 1 })
  })

  test('when the platform asks for it', async () => {
    await finish(output(1), status(503, { 'retry-after': '7' }), status(200))
    expect(pauses).toEqual([7000])
  })

  test('slowly and loudly where the key is refused', async () => {
    await finish(output(1), status(403), status(200))
    expect(pauses).toEqual([15_000])
    expect(recorded.named('result_retry')).toMatchObject([{ level: 'error', error: 'HTTP 403' }])
  })

  test('for ten minutes, and is lost then', async () => {
    await expect(finish(output(1), status(502))).rejects.toThrow('not taken in 10 minutes: HTTP 502')
    const waitedMs = pauses.reduce((sum, ms) => sum + ms, 0)
    expect(waitedMs).toBeGreaterThan(580_000)
    expect(waitedMs).toBeLessThanOrEqual(600_000)
    // A line every ten seconds, however often it was tried.
    expect(recorded.named('result_retry').length).toBeLessThanOrEqual(61)
  })

  test('until it is stopped', async () => {
    const controller = new AbortController()
    server.answers.push((response) => {
      response.writeHead(500).end()
      controller.abort()
    })
    const finishing = platform.finish('a', output(1), controller.signal)
    await expect(finishing).rejects.toMatchObject({ name: 'AbortError' })
    expect(server.asked).toHaveLength(1)
  })
})

test.each([404, 410])('a result that is answered with %i is unwanted, and done', async (code) => {
  expect(await finish(output(1), status(code))).toBe('unwanted')
  expect(server.asked).toHaveLength(1)
  expect(recorded.named('result_unwanted')).toMatchObject([{ jobId: 'job 1', status: code }])
})

describe('a result that is rejected', () => {
  test.each([400, 413, 422])('with %i is replaced by an error, tried as hard', async (code) => {
    const finishing = finish(
      output('x'.repeat(1_500_000), true),
      status(code),
      status(500),
      drop,
      status(200),
    )
    await expect(finishing).rejects.toBeInstanceOf(ResultReplaced)
    const [first, ...others] = bodies()
    expect(first.output).toHaveLength(1_500_000)
    expect(others).toHaveLength(3)
    for (const other of others) {
      expect(other).toEqual({ error: expect.any(String), stopPod: true })
      expect(other.error).toMatch(`rejected the result, 1.5 MB, with HTTP ${code}`)
      expect(other.error).toMatch(/base64.*fewer items.*S3 bucket/)
    }
    expect(recorded.named('result_rejected')).toMatchObject([{ status: code, bytes: 1_500_028 }])
  })

  test('is unwanted where its replacement is', async () => {
    expect(await finish(output(1), status(413), status(404))).toBe('unwanted')
  })

  test('and its replacement too is lost', async () => {
    const lost = finish(output(1), status(400), status(422))
    await expect(lost).rejects.toThrow('HTTP 400 for the result, HTTP 422 for the error in its place')
    expect(server.asked).toHaveLength(2)
  })
})

test('a result that arrived before its connection broke is posted again: it does no harm', async () => {
  const breakAfter: Answer = (response) => response.socket?.resetAndDestroy()
  await finish(output(1), breakAfter, status(200))
  expect(bodies()).toEqual([{ output: 1 }, { output: 1 }])
})

test('a large result is sent in parts, whole at every try', async () => {
  const value = 'é'.repeat(300_000)
  await finish(output(value, true), drop, status(500), status(200))
  expect(server.asked).toHaveLength(3)
  for (const { headers, body } of server.asked) {
    expect(JSON.parse(body)).toEqual({ output: value, stopPod: true })
    expect(headers).toMatchObject({ 'content-length': String(Buffer.byteLength(body)) })
    expect(headers).not.toHaveProperty('transfer-encoding')
  }
})

describe('progress', () => {
  test('is posted to the address of results', async () => {
    server.answers.push(status(200))
    await platform.progress('job 1', { object: 'progress', done: 1, total: 2 })
    expect(server.asked[0]).toMatchObject({
      method: 'POST',
      url: '/v2/ep/job-done/w1/job%201?gpu=x&isStream=false',
    })
    expect(bodies()).toEqual([{ status: 'IN_PROGRESS', output: { object: 'progress', done: 1, total: 2 } }])
  })

  test.each([
    ['500', status(500)],
    ['a broken connection', drop],
  ])('that fails with %s is not tried again and harms nothing', async (_, answer) => {
    server.answers.push(answer)
    await platform.progress('a', {})
    expect(server.asked).toHaveLength(1)
  })
})
