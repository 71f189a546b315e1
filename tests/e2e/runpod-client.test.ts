/** RunPod's official client against the local API. */
import runpodSdk from 'runpod-sdk'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { Program } from '../start-program.ts'
import { startServer } from './start-server.ts'

let server: Program

beforeAll(async () => {
  // The client tells of its progress.
  vi.spyOn(console, 'log').mockImplementation(() => {})
  server = await startServer()
})

afterAll(() => server.stop())

function endpoint() {
  const found = runpodSdk('any-key', { baseUrl: `${server.found}/v2` }).endpoint('local')
  if (found === null) throw new Error('the client gave no endpoint')
  return found
}

/** Long enough to be cancelled while it runs. */
const LONG_JOB = {
  input: { input: Array.from({ length: 2000 }, (_, index) => `text ${index} `.repeat(100)) },
}

test('runSync answers with the output', async () => {
  const job = await endpoint().runSync({ input: { input: 'Hello world' } })
  expect(job).toMatchObject({ status: 'COMPLETED', completed: true, succeeded: true })
  expect(job.output.data[0].embedding).toHaveLength(384)
  expect(job.delayTime).toBeGreaterThanOrEqual(0)
  expect(job.executionTime).toBeGreaterThan(0)
})

test('run answers at once, and status tells the end', async () => {
  const { id, status } = await endpoint().run({ input: { input: 'Hello world' } })
  expect(status).toBe('IN_QUEUE')
  await vi.waitFor(
    async () => expect(await endpoint().status(id)).toMatchObject({ status: 'COMPLETED' }),
    5000,
  )
})

test('a failed job says why', async () => {
  const job = await endpoint().runSync({ input: { input: 5 } })
  expect(job).toMatchObject({
    status: 'FAILED',
    error: 'input is 5; it must be a string, a list of strings, or token ids',
    succeeded: false,
  })
})

test('the stream of a job without chunks ends with it', async () => {
  const { id } = await endpoint().run({ input: { input: 'Hello world' } })
  const chunks: unknown[] = []
  for await (const chunk of endpoint().stream(id)) chunks.push(chunk)
  expect(chunks).toEqual([])
})

test('a running job is cancelled, and the next one runs', async () => {
  const { id } = await endpoint().run(LONG_JOB)
  await vi.waitFor(async () => expect((await endpoint().status(id)).status).toBe('IN_PROGRESS'), 5000)
  expect(await endpoint().cancel(id)).toMatchObject({ id, status: 'CANCELLED' })
  const next = await endpoint().runSync({ input: { input: 'next' } })
  expect(next.status).toBe('COMPLETED')
  expect((await endpoint().status(id)).status).toBe('CANCELLED')
})

test('health counts jobs and workers, and the queue can be purged', async () => {
  const health = await endpoint().health()
  expect(health.workers).toMatchObject({ ready: 1, initializing: 0 })
  expect(health.jobs.completed).toBeGreaterThan(0)
  expect(health.jobs.failed).toBeGreaterThan(0)
  expect(await endpoint().purgeQueue()).toEqual({ removed: 0, status: 'completed' })
})
