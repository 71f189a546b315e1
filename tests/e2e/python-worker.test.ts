/** RunPod's own Python worker and RunPod's own client, with our gateway between them. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import runpodSdk from 'runpod-sdk'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Gateway } from '../../tools/gateway/gateway.ts'
import { startGateway } from '../../tools/gateway/gateway.ts'

const SCRIPT = join(import.meta.dirname, 'python-worker.py')

const python = [process.env['RUNPOD_TEST_PYTHON'], 'python3'].find(
  (command) => command !== undefined && spawnSync(command, ['-c', 'import runpod']).status === 0,
)
if (python === undefined) {
  console.warn('skipped: no python3 with the package runpod on PATH or in RUNPOD_TEST_PYTHON')
}

interface Job {
  readonly id: string
  readonly status: string
  readonly output?: unknown
  readonly error?: string
}

/** `kind`: of the handler, see the script. */
async function open(kind: string) {
  const gateway = await startGateway({
    apiKey: 'client-key',
    workerKey: 'worker-key',
    pingIntervalMs: 1000,
    holdMs: 2000,
    workers: {
      command: `exec '${python}' '${SCRIPT}' ${kind}`,
      count: 1,
      env: {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        RUNPOD_SKIP_AUTO_SYSTEM_CHECKS: 'true',
        RUNPOD_SKIP_GPU_CHECK: 'true',
      },
    },
  })
  const endpoint = runpodSdk('client-key', { baseUrl: `${gateway.url}/v2` }).endpoint('local')
  if (endpoint === null) throw new Error('the client has no endpoint')
  return { gateway, endpoint }
}

describe.skipIf(python === undefined)('a plain handler', () => {
  let gateway: Gateway
  let endpoint: Awaited<ReturnType<typeof open>>['endpoint']
  beforeAll(async () => {
    vi.spyOn(console, 'log').mockImplementation(() => {})
    ;({ gateway, endpoint } = await open('plain'))
  })
  afterAll(async () => {
    await gateway.close()
    vi.restoreAllMocks()
  })

  test('answers', async () => {
    const job = await endpoint.runSync({ input: { echo: 'grüße' } }, 20_000)
    expect(job).toMatchObject({ status: 'COMPLETED', output: { echo: 'grüße' } })
  })

  test('answers many, in batches', async () => {
    const jobs = await Promise.all(
      Array.from({ length: 12 }, (_, echo) => endpoint.runSync({ input: { echo } }, 20_000)),
    )
    expect(jobs.map(({ output }) => output)).toEqual(Array.from({ length: 12 }, (_, echo) => ({ echo })))
  })

  test('that throws fails its job', async () => {
    const job = (await endpoint.runSync({ input: { fail: 'no luck' } }, 20_000)) as unknown as Job
    expect(job.status).toBe('FAILED')
    expect(JSON.parse(job.error ?? '')).toMatchObject({ error_message: 'no luck' })
  })

  test('shows its progress, and can be cancelled', async () => {
    const { id } = await endpoint.run({ input: { count: 100 } })
    await vi.waitFor(async () => {
      expect(await endpoint.status(id)).toMatchObject({ status: 'IN_PROGRESS', output: { done: 2 } })
    }, 10_000)
    await endpoint.cancel(id)
    expect(await endpoint.status(id)).toMatchObject({ status: 'CANCELLED' })
  })

  test('goes on with the job of a process that was killed', async () => {
    const { id } = await endpoint.run({ input: { count: 10 } })
    await vi.waitFor(
      async () => expect(await endpoint.status(id)).toMatchObject({ status: 'IN_PROGRESS' }),
      10_000,
    )
    gateway.workers?.kill()
    await vi.waitFor(async () => {
      expect(await endpoint.status(id)).toMatchObject({
        status: 'COMPLETED',
        output: { counted: 10 },
        retries: 1,
      })
    }, 20_000)
  })

  test('leaves a clean ledger', async () => {
    expect(gateway.ledger.report()).toMatchObject({
      lost: [],
      answeredTwice: [],
      runTwice: [],
      abandoned: [],
    })
  })
})

describe.skipIf(python === undefined)('a generator', () => {
  test('streams', async () => {
    vi.spyOn(console, 'log').mockImplementation(() => {})
    const { gateway, endpoint } = await open('stream')
    const { id } = await endpoint.run({ input: { spell: 'abc' } })
    const letters: unknown[] = []
    for await (const { output } of endpoint.stream(id) as AsyncIterable<{ output: unknown }>)
      letters.push(output)
    expect(letters).toEqual(['a', 'b', 'c'])
    expect(await endpoint.status(id)).toMatchObject({ status: 'COMPLETED', output: ['a', 'b', 'c'] })
    await gateway.close()
    vi.restoreAllMocks()
  })
})
