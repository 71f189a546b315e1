/** Who waits for what in a job store, for how long, and in which turn. */
import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { outcome } from '../../../fakes/lane.ts'
import { WORKER, encoded, idsOf, openStore, submission, takeNow } from '../../../fakes/job-store.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const LONG = { waitMs: 90_000 }
const OUTPUT = encoded([1])
const chunk = (value: unknown) => Buffer.from(JSON.stringify({ output: value }))
const textsOf = (chunks: readonly Uint8Array[] | undefined) =>
  chunks?.map((bytes) => Buffer.from(bytes).toString())

describe('a take', () => {
  test('waits for a job, then leaves with it at once', async () => {
    const { store } = openStore()
    const take = store.take(5, { workerId: WORKER, ...LONG })
    const { id } = store.submit(submission())
    expect(store.get(id)).toMatchObject({ status: 'IN_PROGRESS', workerId: WORKER })
    expect(idsOf(await take)).toEqual([id])
    expect(vi.getTimerCount()).toBe(1)
  })

  test('ends with nothing when its time is over, and takes nothing after', async () => {
    const { store } = openStore()
    const take = store.take(1, { workerId: WORKER, waitMs: 10_000 })
    await vi.advanceTimersByTimeAsync(9999)
    const later = store.take(1, { workerId: 'worker-2', ...LONG })
    await vi.advanceTimersByTimeAsync(1)
    expect(await take).toEqual([])
    store.submit(submission())
    expect(idsOf(await later)).toEqual(['1-u1'])
  })

  test('is served in its turn', async () => {
    const { store } = openStore()
    const takes = ['a', 'b', 'c'].map((workerId) => store.take(2, { workerId, ...LONG }))
    for (let i = 0; i < 4; i++) store.submit(submission())
    expect((await Promise.all(takes)).map(idsOf)).toEqual([['1-u1'], ['2-u1'], ['3-u1']])
    expect(store.counts()).toMatchObject({ inProgress: 3, inQueue: 1 })
  })

  test('gets all jobs of a lost worker that it has room for, in their order', async () => {
    const { store } = openStore()
    for (let i = 0; i < 3; i++) store.submit(submission())
    await takeNow(store, 3)
    const takes = [2, 2].map((count) => store.take(count, { workerId: 'worker-2', ...LONG }))
    store.requeue(WORKER)
    expect((await Promise.all(takes)).map(idsOf)).toEqual([['1-u1', '2-u1'], ['3-u1']])
  })

  test('that is aborted swallows no job, and leaves no listener', async () => {
    const { store } = openStore()
    const controller = new AbortController()
    const { signal } = controller
    const aborted = outcome(store.take(1, { workerId: WORKER, ...LONG, signal }))
    const next = store.take(1, { workerId: 'worker-2', ...LONG })
    controller.abort()
    const { id } = store.submit(submission())
    expect(await aborted).toEqual({ code: 'cancelled', message: 'the request was cancelled' })
    expect(idsOf(await next)).toEqual([id])
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
    const { id: waiting } = store.submit(submission())
    expect(await outcome(store.take(1, { workerId: WORKER, ...LONG, signal }))).toMatchObject({
      code: 'cancelled',
    })
    expect(store.get(waiting)?.status).toBe('IN_QUEUE')
  })

  test('that is aborted after it was handed a job keeps it', async () => {
    const { store } = openStore()
    const controller = new AbortController()
    const { signal } = controller
    const take = store.take(1, { workerId: WORKER, ...LONG, signal })
    const { id } = store.submit(submission())
    controller.abort()
    expect(idsOf(await take)).toEqual([id])
    expect(store.get(id)?.status).toBe('IN_PROGRESS')
  })

  test('that was served leaves no listener', async () => {
    const { store } = openStore()
    const { signal } = new AbortController()
    const take = store.take(1, { workerId: WORKER, ...LONG, signal })
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    store.submit(submission())
    await take
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })
})

describe('a wait for the end', () => {
  test('ends with the job, however many wait', async () => {
    const { store } = openStore()
    const { id } = store.submit(submission())
    const waits = [1, 2].map(() => store.waitForEnd(id, LONG))
    await takeNow(store)
    store.finish(id, WORKER, { output: OUTPUT })
    for (const job of await Promise.all(waits)) expect(job).toMatchObject({ id, status: 'COMPLETED' })
    expect(await store.waitForEnd(id, LONG)).toMatchObject({ status: 'COMPLETED' })
    expect(vi.getTimerCount()).toBe(1)
  })

  test.each(['cancel', 'purge'] as const)('is ended by a %s', async (how) => {
    const { store } = openStore()
    const { id } = store.submit(submission())
    const wait = store.waitForEnd(id, LONG)
    store[how](id)
    expect(await wait).toMatchObject({ status: 'CANCELLED' })
  })

  test('tells the state when its time is over', async () => {
    const { store } = openStore()
    const { id } = store.submit(submission())
    await takeNow(store)
    const wait = store.waitForEnd(id, { waitMs: 1000 })
    await vi.advanceTimersByTimeAsync(1000)
    expect(await wait).toMatchObject({ status: 'IN_PROGRESS' })
  })

  test('tells when the job is gone, or was never there', async () => {
    const { store, clock } = openStore()
    const { id } = store.submit(submission())
    const wait = store.waitForEnd(id, LONG)
    clock.ms += 86_400_000
    store.sweep()
    expect(await wait).toBeUndefined()
    expect(await store.waitForEnd('none', LONG)).toBeUndefined()
  })

  test('sees a result even where there is no room to keep it', async () => {
    const { store } = openStore({ limits: { maxKeptJobs: 1 } })
    const jobs = [1, 2].map(() => store.submit(submission()))
    const waits = jobs.map(({ id }) => store.waitForEnd(id, LONG))
    await takeNow(store, 2)
    for (const { id } of jobs) store.finish(id, WORKER, { output: OUTPUT })
    expect((await Promise.all(waits)).map((job) => job?.output)).toEqual([OUTPUT, OUTPUT])
    expect(store.get('1-u1')).toBeUndefined()
  })

  test('can be aborted, which does nothing to the job', async () => {
    const { store } = openStore()
    const { id } = store.submit(submission())
    const controller = new AbortController()
    const wait = outcome(store.waitForEnd(id, { ...LONG, signal: controller.signal }))
    controller.abort()
    expect(await wait).toMatchObject({ code: 'cancelled' })
    expect(store.get(id)?.status).toBe('IN_QUEUE')
  })
})

describe('a stream', () => {
  test('hands out each chunk once, as soon as there is one', async () => {
    const { store } = openStore()
    const { id } = store.submit(submission())
    await takeNow(store)
    store.addChunk(id, chunk('a'))
    store.addChunk(id, chunk('b'))
    expect(textsOf((await store.stream(id, LONG))?.chunks)).toEqual(['{"output":"a"}', '{"output":"b"}'])
    const reads = [1, 2].map(() => store.stream(id, LONG))
    store.addChunk(id, chunk('c'))
    expect(textsOf((await reads[0])?.chunks)).toEqual(['{"output":"c"}'])
    store.finish(id, WORKER, { output: OUTPUT })
    expect(await reads[1]).toMatchObject({ job: { status: 'COMPLETED' }, chunks: [] })
  })

  test('gives what is left when the job has ended, then nothing, at once', async () => {
    const { store } = openStore()
    const { id } = store.submit(submission())
    await takeNow(store)
    store.addChunk(id, chunk('a'))
    store.finish(id, WORKER, { output: OUTPUT })
    store.addChunk(id, chunk('late'))
    const last = await store.stream(id, LONG)
    expect(last?.job.status).toBe('COMPLETED')
    expect(textsOf(last?.chunks)).toEqual(['{"output":"a"}'])
    expect((await store.stream(id, LONG))?.chunks).toEqual([])
  })

  test('ends with no chunks when its time is over; of an unknown job at once', async () => {
    const { store } = openStore()
    const { id } = store.submit(submission())
    const read = store.stream(id, { waitMs: 1000 })
    await vi.advanceTimersByTimeAsync(1000)
    expect(await read).toMatchObject({ job: { status: 'IN_QUEUE' }, chunks: [] })
    expect(await store.stream('none', LONG)).toBeUndefined()
  })

  test('starts anew when another worker does', async () => {
    const { store } = openStore()
    const { id } = store.submit(submission())
    await takeNow(store)
    store.addChunk(id, chunk('a'))
    store.requeue(WORKER)
    await takeNow(store, 1, 'worker-2')
    store.addChunk(id, chunk('A'))
    expect(textsOf((await store.stream(id, LONG))?.chunks)).toEqual(['{"output":"A"}'])
  })
})

describe('stops', () => {
  const running = async (store: ReturnType<typeof openStore>['store'], count: number) => {
    const jobs = Array.from({ length: count }, () => store.submit(submission()))
    await takeNow(store, count)
    return idsOf(jobs)
  }

  test('reach the worker that has the job, and are told once', async () => {
    const { store } = openStore()
    const waiting = store.nextStops(WORKER, LONG)
    const other = store.nextStops('worker-2', { waitMs: 1000 })
    const [first, second, third] = (await running(store, 3)) as [string, string, string]
    store.cancel(first)
    expect(await waiting).toEqual([first])
    store.cancel(second)
    store.cancel(third)
    expect(await store.nextStops(WORKER, LONG)).toEqual([second, third])
    await vi.advanceTimersByTimeAsync(1000)
    expect(await other).toEqual([])
  })

  test('are dropped with their worker', async () => {
    const { store } = openStore()
    const [first] = (await running(store, 1)) as [string]
    store.cancel(first)
    store.requeue(WORKER)
    const next = store.nextStops(WORKER, { waitMs: 1000 })
    await vi.advanceTimersByTimeAsync(1000)
    expect(await next).toEqual([])
  })

  test('of a worker that never asks are bounded', async () => {
    const { store } = openStore()
    const ids = await running(store, 1001)
    for (const id of ids) store.cancel(id)
    expect(await store.nextStops(WORKER, LONG)).toEqual(ids.slice(1))
  })

  test('reach a worker one of whose waits has ended', async () => {
    const { store } = openStore()
    const short = store.nextStops(WORKER, { waitMs: 1000 })
    const long = store.nextStops(WORKER, LONG)
    await vi.advanceTimersByTimeAsync(1000)
    expect(await short).toEqual([])
    const [first] = (await running(store, 1)) as [string]
    store.cancel(first)
    expect(await long).toEqual([first])
  })

  test('end when aborted', async () => {
    const { store } = openStore()
    const controller = new AbortController()
    const next = outcome(store.nextStops(WORKER, { ...LONG, signal: controller.signal }))
    controller.abort()
    expect(await next).toMatchObject({ code: 'cancelled' })
  })
})

test('closing ends every wait and every timer', async () => {
  const { store } = openStore()
  const { id } = store.submit(submission())
  await takeNow(store)
  const waits = [
    store.take(1, { workerId: WORKER, ...LONG }),
    store.nextStops(WORKER, LONG),
    store.waitForEnd(id, LONG),
    store.stream(id, LONG),
  ]
  store.close()
  expect(await Promise.all(waits)).toMatchObject([
    [],
    [],
    { status: 'IN_PROGRESS' },
    { job: { status: 'IN_PROGRESS' }, chunks: [] },
  ])
  expect(vi.getTimerCount()).toBe(0)
})
