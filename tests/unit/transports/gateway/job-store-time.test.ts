/** How long jobs may wait and run, and how long they are known. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import { DEFAULT_POLICY } from '../../../../src/transports/gateway/job-request.ts'
import { WORKER, encoded, openStore, submission, takeNow } from '../../../fakes/job-store.ts'

afterEach(() => void vi.useRealTimers())

const MINUTE = 60_000
const OUTPUT = encoded([1])

function policy(parts: Partial<typeof DEFAULT_POLICY>) {
  return submission({ policy: { ...DEFAULT_POLICY, ...parts } })
}

describe('executionTimeout', () => {
  test('counts from the pick-up, then times the job out and stops its worker', async () => {
    const { store, clock, ended } = openStore()
    const { id } = store.submit(policy({ executionTimeout: 5000 }))
    clock.ms += 60_000
    store.sweep()
    expect(store.get(id)?.status).toBe('IN_QUEUE')
    await takeNow(store)
    store.progress(id, OUTPUT)
    clock.ms += 4999
    store.sweep()
    expect(store.get(id)?.status).toBe('IN_PROGRESS')
    clock.ms += 1
    store.sweep()
    expect(store.get(id)).toMatchObject({
      status: 'TIMED_OUT',
      error: 'the job ran longer than 5000 ms, its executionTimeout',
      output: undefined,
    })
    expect(await store.nextStops(WORKER, { waitMs: 1 })).toEqual([id])
    expect(store.finish(id, WORKER, { output: OUTPUT })).toBe('ignored')
    expect(ended).toMatchObject([{ status: 'TIMED_OUT', input: { text: 'a' } }])
    expect(store.retry(id)).toMatchObject({ status: 'IN_QUEUE', input: { text: 'a' }, error: undefined })
  })

  test('starts anew with another worker', async () => {
    const { store, clock } = openStore()
    const { id } = store.submit(policy({ executionTimeout: 5000 }))
    await takeNow(store)
    clock.ms += 4000
    store.requeue(WORKER)
    clock.ms += 4000
    store.sweep()
    await takeNow(store)
    clock.ms += 4000
    store.sweep()
    expect(store.get(id)?.status).toBe('IN_PROGRESS')
  })
})

describe('ttl', () => {
  test('forgets a job that waits', async () => {
    const { store, clock, ended } = openStore()
    const { id } = store.submit(policy({ ttl: 10_000 }))
    store.submit(policy({ ttl: 20_000 }))
    clock.ms += 10_000
    store.sweep()
    expect(store.get(id)).toBeUndefined()
    expect(store.counts().inQueue).toBe(1)
    expect(ended).toEqual([])
  })

  test('forgets a job that runs, and stops its worker', async () => {
    const { store, clock } = openStore()
    const { id } = store.submit(policy({ ttl: 10_000 }))
    clock.ms += 6000
    await takeNow(store)
    clock.ms += 4000
    store.sweep()
    expect(store.get(id)).toBeUndefined()
    expect(store.counts().inProgress).toBe(0)
    expect(await store.nextStops(WORKER, { waitMs: 1 })).toEqual([id])
    expect(store.finish(id, WORKER, { output: OUTPUT })).toBe('ignored')
  })

  test('says nothing about a job that has ended', async () => {
    const { store, clock } = openStore()
    const { id } = store.submit(policy({ ttl: 10_000 }))
    await takeNow(store)
    store.finish(id, WORKER, { output: OUTPUT })
    clock.ms += 20_000
    store.sweep()
    expect(store.get(id)?.status).toBe('COMPLETED')
  })

  test('a retry counts as a submission', async () => {
    const { store, clock } = openStore()
    const { id } = store.submit(policy({ ttl: 10_000 }))
    await takeNow(store)
    store.finish(id, WORKER, { error: 'no' })
    clock.ms += 15_000
    store.retry(id)
    clock.ms += 9999
    store.sweep()
    expect(store.get(id)?.status).toBe('IN_QUEUE')
  })
})

describe('retention', () => {
  test.each([
    { sync: false, kept: 30 * MINUTE },
    { sync: true, kept: MINUTE },
  ])('sync $sync: a result is known for $kept ms', async ({ sync, kept }) => {
    const { store, clock } = openStore()
    const { id } = store.submit(submission({ sync }))
    await takeNow(store)
    store.finish(id, WORKER, { output: OUTPUT })
    clock.ms += kept - 1
    store.sweep()
    expect(store.get(id)?.status).toBe('COMPLETED')
    clock.ms += 1
    store.sweep()
    expect(store.get(id)).toBeUndefined()
  })

  test('is as told, for all or for one', async () => {
    const { store, clock } = openStore({ retentionMs: { async: 1000, sync: 500 } })
    const jobs = [1, 2, 3].map(() => store.submit(submission()))
    const [first, second, third] = jobs.map(({ id }) => id) as [string, string, string]
    await takeNow(store, 3)
    store.keepFor(first, 3000)
    for (const id of [first, second, third]) store.finish(id, WORKER, { output: OUTPUT })
    store.keepFor(second, 2000)
    store.keepFor('none', 2000)
    const known = (ms: number) => {
      clock.ms += ms
      store.sweep()
      return [first, second, third].filter((id) => store.get(id) !== undefined)
    }
    expect(known(1000)).toEqual([first, second])
    expect(known(1000)).toEqual([first])
    expect(known(1000)).toEqual([])
  })
})

test('a jump of the clock ends all that is due, whatever the order', async () => {
  const { store, clock } = openStore()
  const lives = [70_000, 20_000, 50_000, 10_000, 60_000, 40_000, 30_000]
  for (const ttl of lives) store.submit(policy({ ttl }))
  clock.ms += 45_000
  store.sweep()
  expect(store.list({ offset: 0, limit: 9 }).map((job) => job.policy.ttl)).toEqual([70_000, 50_000, 60_000])
})

test('the store sweeps by itself, four times a second, until it is closed', async () => {
  vi.useFakeTimers()
  const { store, clock } = openStore()
  store.submit(policy({ ttl: 10_000 }))
  clock.ms += 10_000
  await vi.advanceTimersByTimeAsync(250)
  expect(store.counts().inQueue).toBe(0)
  store.close()
  expect(vi.getTimerCount()).toBe(0)
})
