/** RunPod's own client against our gateway, the test being the worker. */
import runpodSdk from 'runpod-sdk'
import { describe, expect, test, vi } from 'vitest'
import { WORKER, encoded, submission, takeNow } from '../../../fakes/job-store.ts'
import { WORKER_COUNTS, listenAnywhere, openGateway, workOnce } from '../../../fakes/gateway.ts'

// It prints what it waits for, with what `console.log` is when it is imported.
vi.hoisted(() => vi.spyOn(console, 'log').mockImplementation(() => {}))

async function connect() {
  const gateway = openGateway({ apiKey: 'key' })
  const baseUrl = `${await listenAnywhere(gateway)}/v2`
  const endpoint = runpodSdk('key', { baseUrl }).endpoint('local')
  if (endpoint === null) throw new Error('the client has no endpoint')
  return { ...gateway, endpoint, baseUrl }
}

describe('the official client', () => {
  test('runs a job and asks for its status', async () => {
    const { endpoint, store } = await connect()
    const asked = await endpoint.run({ input: { text: 'é' } })
    expect(asked).toEqual({ id: '1-u1', status: 'IN_QUEUE' })
    expect(await endpoint.status('1-u1')).toMatchObject({
      status: 'IN_QUEUE',
      started: true,
      completed: false,
    })
    await workOnce(store, (input) => ({ got: input }))
    expect(await endpoint.status('1-u1')).toMatchObject({
      id: '1-u1',
      status: 'COMPLETED',
      output: { got: { text: 'é' } },
      completed: true,
      succeeded: true,
    })
  })

  test('runs a job to its end in one call', async () => {
    const { endpoint, store } = await connect()
    void workOnce(store, () => [{ vector: [1] }])
    expect(await endpoint.runSync({ input: 1 })).toMatchObject({
      status: 'COMPLETED',
      output: [{ vector: [1] }],
      succeeded: true,
    })
  })

  test('goes on waiting where one call was not enough', async () => {
    const { endpoint, store } = await connect()
    const waitForEnd = vi.spyOn(store, 'waitForEnd')
    const result = endpoint.runSync({ input: 1 }, 1000)
    const [job] = await store.take(1, { workerId: WORKER, waitMs: 1000 })
    await vi.waitUntil(() => waitForEnd.mock.calls.length === 2, { timeout: 10_000 })
    store.finish(job?.id ?? '', WORKER, { error: 'no memory' })
    expect(await result).toMatchObject({
      status: 'FAILED',
      error: 'no memory',
      completed: true,
      succeeded: false,
    })
    expect(waitForEnd.mock.calls).toMatchObject([
      ['sync-1-u1', { waitMs: 1000 }],
      ['sync-1-u1', { waitMs: 1000 }],
    ])
  })

  test('streams chunks to the end', async () => {
    const { endpoint, store } = await connect()
    const { id } = store.submit(submission())
    await takeNow(store)
    store.addChunk(id, Buffer.from('{"output":"a"}'))
    const seen: unknown[] = []
    for await (const chunk of endpoint.stream(id)) {
      seen.push(chunk)
      if (seen.length === 1) {
        store.addChunk(id, Buffer.from('{"output":"b"}'))
        store.finish(id, WORKER, { output: encoded(['a', 'b']) })
      }
    }
    expect(seen).toEqual([{ output: 'a' }, { output: 'b' }])
  })

  test('cancels a job, purges the queue and looks after the health', async () => {
    const { endpoint, store } = await connect()
    for (let i = 0; i < 3; i++) store.submit(submission())
    expect(await endpoint.cancel('1-u1')).toEqual({ id: '1-u1', status: 'CANCELLED' })
    expect(await endpoint.purgeQueue()).toEqual({ removed: 2, status: 'completed' })
    expect(await endpoint.health()).toEqual({
      jobs: { completed: 0, failed: 0, inProgress: 0, inQueue: 0, retried: 0 },
      workers: WORKER_COUNTS,
    })
  })

  test('throws where a job is unknown, or the key is wrong', async () => {
    const { endpoint, baseUrl } = await connect()
    await expect(endpoint.status('nope')).rejects.toMatchObject({
      response: { status: 404, data: { error: expect.stringContaining('nope') } },
    })
    const stranger = runpodSdk('other', { baseUrl }).endpoint('local')
    await expect(stranger?.run({ input: 1 })).rejects.toMatchObject({ response: { status: 401 } })
  })
})
