/** How a job goes from state to state. */
import { describe, expect, test } from 'vitest'
import { ServerError } from '../../../../src/errors.ts'
import { JobStore } from '../../../../src/transports/gateway/job-store.ts'
import { WORKER, encoded, idsOf, openStore, submission, takeNow, textOf } from '../../../fakes/job-store.ts'

const WAIT = { waitMs: 1000 }
const OUTPUT = encoded([{ vector: [1] }])

describe('submitting', () => {
  test('a job waits under an id of the platform’s form', () => {
    const store = new JobStore({
      now: () => 0,
      limits: { maxQueuedJobs: 9, maxQueuedBytes: 9, maxKeptJobs: 9, maxKeptBytes: 9 },
    })
    const uuid = '[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}'
    const job = store.submit(submission({ bytes: 1 }))
    expect(job.id).toMatch(new RegExp(`^${uuid}-u1$`))
    expect(store.submit(submission({ bytes: 1, sync: true })).id).toMatch(new RegExp(`^sync-${uuid}-u1$`))
    expect(store.get(job.id)).toMatchObject({ status: 'IN_QUEUE', input: { text: 'a' }, retries: 0 })
    expect(store.get('other')).toBeUndefined()
    store.close()
  })

  test('whoever watches is told of a job before a worker has it, and again when it is retried', async () => {
    const seen: string[] = []
    const { store } = openStore({ onQueue: ({ id, workerId }) => seen.push(`${id} ${workerId}`) })
    const take = store.take(1, { workerId: WORKER, ...WAIT })
    const { id } = store.submit(submission())
    await take
    expect(seen).toEqual([`${id} undefined`])
    store.requeue(WORKER)
    await takeNow(store)
    store.finish(id, WORKER, { error: 'no' })
    store.retry(id)
    expect(seen).toHaveLength(2)
  })

  test('over the limit of jobs it is refused, and told when to come back', async () => {
    const { store } = openStore({ limits: { maxQueuedJobs: 2 } })
    store.submit(submission())
    store.submit(submission())
    expect(() => store.submit(submission())).toThrow(
      expect.objectContaining({
        code: 'overloaded',
        message: '2 jobs wait; the queue holds at most 2',
        retryAfterMs: 1000,
      }),
    )
    await takeNow(store)
    expect(store.submit(submission()).status).toBe('IN_QUEUE')
  })

  test('what runs counts in the limit of bytes until it has ended', async () => {
    const { store } = openStore({ limits: { maxQueuedBytes: 100 } })
    const { id } = store.submit(submission({ bytes: 60 }))
    await takeNow(store)
    expect(() => store.submit(submission({ bytes: 41 }))).toThrow(
      'the jobs that wait or run hold 60 bytes; 41 more would pass the limit of 100',
    )
    store.submit(submission({ bytes: 40 }))
    store.finish(id, WORKER, { output: OUTPUT })
    store.submit(submission({ bytes: 60 }))
    expect(() => store.submit(submission({ bytes: 1 }))).toThrow(ServerError)
    store.purge()
    store.submit(submission({ bytes: 100 }))
  })
})

describe('taking', () => {
  test('jobs go out in the order they came, as many as asked for', async () => {
    const { store, clock } = openStore()
    for (let i = 0; i < 4; i++) store.submit(submission())
    clock.ms += 250
    const jobs = await takeNow(store, 3)
    expect(idsOf(jobs)).toEqual(['1-u1', '2-u1', '3-u1'])
    expect(jobs[0]).toMatchObject({
      status: 'IN_PROGRESS',
      workerId: WORKER,
      submittedAt: 1_000_000,
      startedAt: 1_000_250,
    })
    expect(idsOf(await takeNow(store, 3))).toEqual(['4-u1'])
  })

  test('10,000 waiting jobs go out one by one in a moment', async () => {
    const { store } = openStore()
    const start = performance.now()
    for (let i = 0; i < 10_000; i++) store.submit(submission())
    // From the middle as well as from the front: neither searches.
    for (let i = 2; i <= 10_000; i += 2) store.cancel(`${i}-u1`)
    for (let i = 1; i < 10_000; i += 2) {
      expect((await takeNow(store))[0]?.id === `${i}-u1`).toBe(true)
      store.finish(`${i}-u1`, WORKER, { output: OUTPUT })
    }
    expect(store.counts()).toMatchObject({ completed: 5000, inQueue: 0, inProgress: 0 })
    expect(performance.now() - start).toBeLessThan(2000)
  })
})

describe('ending', () => {
  test('an output completes a job, and its bytes are kept as they came', async () => {
    const { store, clock, ended } = openStore()
    const { id } = store.submit(submission())
    await takeNow(store)
    clock.ms += 40
    expect(store.finish(id, WORKER, { output: OUTPUT })).toBe('accepted')
    const job = store.get(id)
    expect(job).toMatchObject({ status: 'COMPLETED', endedAt: 1_000_040, error: undefined })
    expect(job?.output).toBe(OUTPUT)
    expect(ended).toEqual([{ id, status: 'COMPLETED', input: { text: 'a' } }])
    // nobody may ask for it again
    expect(job?.input).toBeUndefined()
  })

  test('an error fails a job, beside an output where there is one', async () => {
    const { store } = openStore()
    const { id } = store.submit(submission())
    await takeNow(store)
    store.progress(id, encoded('half way'))
    store.finish(id, WORKER, { error: 'no memory' })
    expect(store.get(id)).toMatchObject({ status: 'FAILED', error: 'no memory', output: undefined })
    store.retry(id)
    await takeNow(store)
    store.finish(id, WORKER, { error: 'no memory', output: encoded('part') })
    expect(textOf(store.get(id)?.output)).toBe('"part"')
  })

  test('a second result, and one for an unknown job, are ignored', async () => {
    const { store, ended } = openStore()
    const { id } = store.submit(submission())
    expect(store.finish(id, WORKER, { output: OUTPUT })).toBe('ignored')
    await takeNow(store)
    store.finish(id, WORKER, { output: OUTPUT })
    expect(store.finish(id, WORKER, { error: 'late' })).toBe('ignored')
    expect(store.finish('none', WORKER, { error: 'late' })).toBe('ignored')
    expect(store.get(id)?.status).toBe('COMPLETED')
    expect(ended).toHaveLength(1)
  })

  test('progress shows as the output while a job runs, and only then', async () => {
    const { store } = openStore()
    const { id } = store.submit(submission())
    store.progress(id, encoded('early'))
    expect(store.get(id)?.output).toBeUndefined()
    await takeNow(store)
    store.progress(id, encoded({ done: 1 }))
    store.progress(id, encoded({ done: 2 }))
    expect(textOf(store.get(id)?.output)).toBe('{"done":2}')
    store.finish(id, WORKER, { output: OUTPUT })
    store.progress(id, encoded('late'))
    expect(store.get(id)?.output).toBe(OUTPUT)
  })
})

describe('cancelling', () => {
  test('a job that waits leaves the queue', async () => {
    const { store, ended } = openStore()
    const first = store.submit(submission())
    const second = store.submit(submission())
    expect(store.cancel(first.id)).toMatchObject({ status: 'CANCELLED', startedAt: undefined })
    expect(idsOf(await takeNow(store, 5))).toEqual([second.id])
    expect(ended).toMatchObject([{ id: first.id, status: 'CANCELLED' }])
  })

  test('a job that runs is cancelled at once, its worker told, its result ignored', async () => {
    const { store } = openStore()
    const { id } = store.submit(submission())
    await takeNow(store)
    store.progress(id, encoded('half way'))
    store.cancel(id)
    expect(store.get(id)).toMatchObject({ status: 'CANCELLED', output: undefined })
    expect(await store.nextStops(WORKER, WAIT)).toEqual([id])
    expect(store.finish(id, WORKER, { output: OUTPUT })).toBe('ignored')
  })

  test('a job that has ended stays as it is', async () => {
    const { store, ended } = openStore()
    const { id } = store.submit(submission())
    await takeNow(store)
    store.finish(id, WORKER, { output: OUTPUT })
    expect(store.cancel(id)?.status).toBe('COMPLETED')
    expect(store.cancel('none')).toBeUndefined()
    expect(ended).toHaveLength(1)
  })

  test('purging cancels what waits, and nothing else', async () => {
    const { store } = openStore()
    for (let i = 0; i < 3; i++) store.submit(submission())
    await takeNow(store)
    expect(store.purge()).toBe(2)
    expect(store.purge()).toBe(0)
    expect(store.list({ offset: 0, limit: 9 }).map(({ status }) => status)).toEqual([
      'IN_PROGRESS',
      'CANCELLED',
      'CANCELLED',
    ])
  })
})

describe('trying again', () => {
  test('a failed job goes back with its input, without its old result', async () => {
    const { store, clock } = openStore()
    const { id } = store.submit(submission())
    await takeNow(store)
    store.addChunk(id, Buffer.from('{"output":1}'))
    store.finish(id, WORKER, { error: 'no memory' })
    clock.ms += 5000
    expect(store.retry(id)).toMatchObject({
      status: 'IN_QUEUE',
      input: { text: 'a' },
      error: undefined,
      workerId: undefined,
      endedAt: undefined,
      submittedAt: 1_005_000,
      retries: 1,
    })
    await takeNow(store)
    store.finish(id, WORKER, { output: OUTPUT })
    expect(await store.stream(id, WAIT)).toMatchObject({ chunks: [] })
    expect(store.counts()).toEqual({ completed: 1, failed: 1, retried: 1, inProgress: 0, inQueue: 0 })
  })

  test('others are not: the error says why', async () => {
    const { store } = openStore()
    const { id } = store.submit(submission())
    const refused = (status: string) =>
      expect.objectContaining({
        code: 'invalid_request',
        message: `job 1-u1 is ${status}; only FAILED and TIMED_OUT are retried`,
      })
    expect(() => store.retry(id)).toThrow(refused('IN_QUEUE'))
    await takeNow(store)
    expect(() => store.retry(id)).toThrow(refused('IN_PROGRESS'))
    store.cancel(id)
    expect(() => store.retry(id)).toThrow(refused('CANCELLED'))
    expect(store.retry('none')).toBeUndefined()
  })

  test('it needs room like any other', async () => {
    const { store } = openStore({ limits: { maxQueuedJobs: 1 } })
    const { id } = store.submit(submission())
    await takeNow(store)
    store.finish(id, WORKER, { error: 'no memory' })
    store.submit(submission())
    expect(() => store.retry(id)).toThrow(expect.objectContaining({ code: 'overloaded' }))
    expect(store.get(id)).toMatchObject({ status: 'FAILED', error: 'no memory' })
  })

  test('a stop meant for the old run does not reach the new one', async () => {
    const { store, clock } = openStore()
    const { id } = store.submit(submission())
    await takeNow(store)
    clock.ms += 600_000
    store.sweep()
    store.retry(id)
    const other = store.submit(submission())
    await takeNow(store, 2)
    store.cancel(other.id)
    expect(await store.nextStops(WORKER, WAIT)).toEqual([other.id])
  })
})

describe('losing a worker', () => {
  test('its jobs go to the front in their order, counted as retries; those of others stay', async () => {
    const { store } = openStore()
    for (let i = 0; i < 5; i++) store.submit(submission())
    await takeNow(store, 2)
    await takeNow(store, 1, 'worker-2')
    expect(store.requeue(WORKER)).toEqual(['1-u1', '2-u1'])
    expect(store.get('1-u1')).toMatchObject({ status: 'IN_QUEUE', retries: 1, workerId: undefined })
    expect(store.get('3-u1')).toMatchObject({ status: 'IN_PROGRESS', retries: 0 })
    expect(store.counts()).toMatchObject({ retried: 2, inQueue: 4, inProgress: 1 })
    expect(idsOf(await takeNow(store, 9))).toEqual(['1-u1', '2-u1', '4-u1', '5-u1'])
  })

  test('a worker that was handed jobs it never got gives back just these', async () => {
    const { store } = openStore()
    for (let i = 0; i < 3; i++) store.submit(submission())
    await takeNow(store, 3)
    expect(store.requeue(WORKER, ['2-u1', '3-u1', 'none'])).toEqual(['2-u1', '3-u1'])
    expect(store.requeue('worker-2', ['1-u1'])).toEqual([])
    expect(store.get('1-u1')?.status).toBe('IN_PROGRESS')
  })

  test('its result still counts when it comes late', async () => {
    const { store } = openStore()
    const { id } = store.submit(submission())
    await takeNow(store)
    store.requeue(WORKER)
    expect(store.finish(id, 'worker-2', { error: 'not mine' })).toBe('ignored')
    expect(store.finish(id, WORKER, { output: OUTPUT })).toBe('accepted')
    expect(store.get(id)).toMatchObject({ status: 'COMPLETED', workerId: WORKER })
    expect(await takeNow(store)).toEqual([])
  })

  test('after a retry, its result of before does not', async () => {
    const { store } = openStore()
    const { id } = store.submit(submission())
    await takeNow(store)
    store.requeue(WORKER)
    store.finish(id, WORKER, { error: 'no memory' })
    store.retry(id)
    expect(store.finish(id, WORKER, { error: 'no memory' })).toBe('ignored')
    expect(store.get(id)?.status).toBe('IN_QUEUE')
  })
})

test('jobs are listed page by page as they were submitted', async () => {
  const { store } = openStore()
  for (let i = 0; i < 5; i++) store.submit(submission())
  await takeNow(store, 2)
  expect(idsOf(store.list({ offset: 0, limit: 2 }))).toEqual(['1-u1', '2-u1'])
  expect(idsOf(store.list({ offset: 4, limit: 2 }))).toEqual(['5-u1'])
  expect(store.list({ offset: 9, limit: 2 })).toEqual([])
})

describe('what is kept', () => {
  const endOne = async (store: JobStore, bytes: number) => {
    const { id } = store.submit(submission())
    await takeNow(store)
    store.finish(id, WORKER, { output: { json: Buffer.alloc(bytes), isListOfOne: false } })
    return id
  }

  test('over the limit of jobs, the one that ended first is forgotten first', async () => {
    const { store } = openStore({ limits: { maxKeptJobs: 2 } })
    const waiting = store.submit(submission())
    store.cancel(waiting.id)
    for (let i = 0; i < 2; i++) await endOne(store, 1)
    expect(idsOf(store.list({ offset: 0, limit: 9 }))).toEqual(['2-u1', '3-u1'])
  })

  test('over the limit of bytes too, but the last result stays however large it is', async () => {
    const { store } = openStore({ limits: { maxKeptBytes: 100 } })
    await endOne(store, 60)
    const second = await endOne(store, 40)
    expect(store.counts().completed).toBe(2)
    expect(store.list({ offset: 0, limit: 9 })).toHaveLength(2)
    const third = await endOne(store, 60)
    expect(idsOf(store.list({ offset: 0, limit: 9 }))).toEqual([second, third])
    const large = await endOne(store, 1000)
    expect(idsOf(store.list({ offset: 0, limit: 9 }))).toEqual([large])
  })

  test('the input of a failed job counts, since it may be tried again', async () => {
    const { store } = openStore({ limits: { maxKeptBytes: 100 } })
    for (let i = 0; i < 2; i++) {
      const { id } = store.submit(submission({ bytes: 60 }))
      await takeNow(store)
      store.finish(id, WORKER, { error: 'no' })
    }
    expect(idsOf(store.list({ offset: 0, limit: 9 }))).toEqual(['2-u1'])
  })
})

test('closed, it takes no more jobs, and what is known can be read', async () => {
  const { store } = openStore()
  const { id } = store.submit(submission())
  store.close()
  const stopping = expect.objectContaining({ code: 'stopping' })
  expect(() => store.submit(submission())).toThrow(stopping)
  await expect(store.take(1, { workerId: WORKER, ...WAIT })).rejects.toEqual(stopping)
  await expect(store.nextStops(WORKER, WAIT)).rejects.toEqual(stopping)
  expect(store.get(id)?.status).toBe('IN_QUEUE')
  expect((await store.waitForEnd(id, WAIT))?.status).toBe('IN_QUEUE')
  expect(await store.stream(id, WAIT)).toMatchObject({ chunks: [] })
})
