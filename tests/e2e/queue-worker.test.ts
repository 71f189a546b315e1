/** The real worker process against the gateway emulator, used by the official clients. */
import { join } from 'node:path'
import OpenAI, { InternalServerError } from 'openai'
import runpodSdk from 'runpod-sdk'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Gateway } from '../../tools/gateway/gateway.ts'
import { startGateway } from '../../tools/gateway/gateway.ts'
import { BUNDLED_MODEL } from '../open-model.ts'
import type { Program } from '../start-program.ts'
import { startProgram } from '../start-program.ts'
import { ROOT, runHandler } from './run-handler.ts'

const ENDPOINT = 'local'
let gateway: Gateway
let worker: Program | undefined

beforeEach(async () => {
  // RunPod's client tells of its progress.
  vi.spyOn(console, 'log').mockImplementation(() => {})
  gateway = await startGateway({ endpointId: ENDPOINT, pingIntervalMs: 1000 })
})

afterEach(async () => {
  worker?.process.kill('SIGKILL')
  worker = undefined
  await gateway.close()
})

async function startWorker(env: Readonly<Record<string, string>> = {}): Promise<Program> {
  worker = await startProgram({
    file: join(ROOT, 'handler.ts'),
    env: { ...gateway.workerEnv('worker-1'), MODEL_NAMES: BUNDLED_MODEL, LOG_LEVEL: 'debug', ...env },
    until: /"message":"(ready)"/,
  })
  return worker
}

function endpoint() {
  const found = runpodSdk('any-key', { baseUrl: `${gateway.url}/v2` }).endpoint(ENDPOINT)
  if (found === null) throw new Error('the client gave no endpoint')
  return found
}

/** The worker has it in hand: the gateway says so from the moment that its answer leaves. */
async function taken(id: string): Promise<void> {
  await vi.waitFor(
    () => expect(worker?.output()).toContain(`"requestId":"${id}","message":"job_taken"`),
    5000,
  )
}

const ONE_TEXT = { input: { input: 'Hello world' } }

/** Keeps a worker busy for many seconds. */
const LONG_JOB = {
  input: { input: Array.from({ length: 2000 }, (_, index) => `text ${index} `.repeat(100)) },
}

describe('with the official clients', () => {
  test('runpod-sdk: run, runSync, status, stream, cancel, purgeQueue, health', async () => {
    await startWorker()
    const job = await endpoint().runSync(ONE_TEXT)
    expect(job).toMatchObject({ status: 'COMPLETED', workerId: 'worker-1' })
    expect(job.output.data[0].embedding).toHaveLength(384)
    const { id } = await endpoint().run(LONG_JOB)
    await taken(id)
    expect(await endpoint().cancel(id)).toMatchObject({ status: 'CANCELLED' })
    // The worker was told, so the next job has the engine for itself.
    expect(await endpoint().runSync(ONE_TEXT)).toMatchObject({ status: 'COMPLETED' })
    await vi.waitFor(() => expect(worker?.output()).toContain('"message":"job_stopped"'), 5000)
    const chunks: unknown[] = []
    for await (const chunk of endpoint().stream(job.id)) chunks.push(chunk)
    expect(chunks).toEqual([])
    expect(await endpoint().purgeQueue()).toMatchObject({ status: 'completed' })
    expect((await endpoint().health()).jobs).toMatchObject({ completed: 2, inProgress: 0 })
  })

  test('openai: embeddings, models, and a mistake as the platform shows it', async () => {
    await startWorker()
    const baseURL = `${gateway.url}/v2/${ENDPOINT}/openai/v1`
    const client = new OpenAI({ baseURL, apiKey: 'any', maxRetries: 0 })
    const { data } = await client.embeddings.create({ model: 'm', input: ['Hello world', 'b'] })
    expect(data.map(({ embedding }) => embedding.length)).toEqual([384, 384])
    const models = await client.models.list()
    expect(models.data.map(({ id }) => id)).toEqual(['all-MiniLM-L6-v2-int8'])
    const mistake = client.embeddings.create({ model: 'm', input: [] })
    await expect(mistake).rejects.toBeInstanceOf(InternalServerError)
    await expect(mistake).rejects.toThrow('input is an empty list')
  })
})

test('a result over 20 MB fails with what to do about it, and the next job works', async () => {
  await startWorker()
  const texts = Array.from({ length: 5000 }, (_, index) => `t ${index}`)
  const large = await endpoint().runSync({ input: { input: texts } })
  expect(large).toMatchObject({
    status: 'FAILED',
    error: expect.stringMatching(
      /^the output has 2\d\.\d MB and a result may have 20\.0 MB; ask for encoding_format "base64"/,
    ),
  })
  expect(await endpoint().runSync(ONE_TEXT)).toMatchObject({ status: 'COMPLETED' })
})

test('told to end with 100 jobs in flight, it answers them all and exits with 0', async () => {
  const program = await startWorker()
  const ids = await Promise.all(
    Array.from({ length: 100 }, async (_, index) => {
      const texts = Array.from({ length: 4 }, (_, text) => `job ${index}, text ${text} `.repeat(8))
      return (await endpoint().run({ input: { input: texts } })).id
    }),
  )
  await vi.waitFor(() => expect(gateway.store.counts().inProgress).toBeGreaterThan(0), 5000)
  const exitCode = await program.stop()
  expect(exitCode).toBe(0)
  // What it had not taken is for the next worker.
  const { completed, inProgress } = gateway.store.counts()
  expect(completed).toBeGreaterThan(0)
  expect(inProgress).toBe(0)
  await startWorker()
  await vi.waitFor(() => {
    expect(ids.map((id) => gateway.store.get(id)?.status)).toEqual(ids.map(() => 'COMPLETED'))
  }, 20_000)
})

test('out of time, it hands back what it could not finish, and exits with 0', async () => {
  const program = await startWorker({ SHUTDOWN_GRACE_SECONDS: '1' })
  const { id } = await endpoint().run(LONG_JOB)
  await taken(id)
  const startMs = performance.now()
  expect(await program.stop()).toBe(0)
  expect(performance.now() - startMs).toBeLessThan(3000)
  expect(program.output()).toContain(`"left":["${id}"]`)
  // Its pings have ended, so the platform gives the job to another.
  await vi.waitFor(() => expect(gateway.store.get(id)?.status).toBe('IN_QUEUE'), 10_000)
})

test('a job for which the queue has no room waits, and no job fails', async () => {
  await startWorker({ INFINITY_QUEUE_SIZE: '8' })
  const jobs = await Promise.all(
    Array.from({ length: 30 }, (_, index) =>
      endpoint().runSync({ input: { input: Array.from({ length: 8 }, (_, text) => `${index} ${text}`) } }),
    ),
  )
  expect(jobs.map(({ status }) => status)).toEqual(jobs.map(() => 'COMPLETED'))
})

test('the probes and the direct routes are served on PORT beside the queue', async () => {
  const program = await startWorker({ PORT: '0' })
  const address = /"address":"http:\/\/[^:]+:(\d+)"/.exec(program.output())?.[1]
  const ping = await fetch(`http://127.0.0.1:${address}/ping`)
  expect(ping.status).toBe(200)
  const run = await fetch(`http://127.0.0.1:${address}/runsync`, { method: 'POST' })
  expect(run.status).toBe(404)
})

test('without its model it takes no job, tells the platform, and exits with 1', async () => {
  const { id } = await endpoint().run(ONE_TEXT)
  const env = { ...gateway.workerEnv('worker-2'), MODEL_NAMES: '/nowhere/at/all' }
  const { exitCode, stderr } = await runHandler([], env)
  expect(exitCode).toBe(1)
  expect(stderr).toContain('/nowhere/at/all')
  expect(gateway.store.get(id)?.status).toBe('IN_QUEUE')
})

test('REFRESH_WORKER ends the worker after its jobs', async () => {
  const program = await startWorker({ REFRESH_WORKER: '1' })
  const ended = new Promise((resolve) => program.process.once('exit', resolve))
  expect(await endpoint().runSync(ONE_TEXT)).toMatchObject({ status: 'COMPLETED' })
  expect(await ended).toBe(0)
})
