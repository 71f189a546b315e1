/** What each fault does on the wire, and what it leaves undone. */
import { describe, expect, test, vi } from 'vitest'
import { openEmulated } from './emulated.ts'

describe('drop-before', () => {
  test('ends the connection, and nothing was done', async () => {
    await using gateway = await openEmulated({ faults: { 'drop-before': 1 } })
    const id = await gateway.submit()
    await expect(gateway.take()).rejects.toThrow('fetch failed')
    await expect(gateway.post(id, { output: 1 })).rejects.toThrow('fetch failed')
    expect(await gateway.status(id)).toMatchObject({ status: 'IN_QUEUE' })
    expect(gateway.ledger.report().faultsInjected).toEqual({ 'drop-before': 2 })
  })
})

describe('drop-after', () => {
  test('takes a result and does not say so', async () => {
    await using gateway = await openEmulated({ faults: { 'drop-after': 1 } })
    const id = await gateway.submit()
    await gateway.take()
    await expect(gateway.post(id, { output: 1 })).rejects.toThrow('fetch failed')
    expect(await gateway.status(id)).toMatchObject({ status: 'COMPLETED', output: 1 })
    await expect(gateway.post(id, { output: 1 })).rejects.toThrow('fetch failed')
    expect(gateway.ledger.report()).toMatchObject({ runTwice: [], results: 2 })
    expect(gateway.ledger.jobs()).toMatchObject([{ posts: [{ sent: 'none' }, { sent: 'none' }] }])
  })

  test('hands out a job that never arrives, and pings bring it back', async () => {
    await using gateway = await openEmulated({ faults: { 'drop-after': 1 }, pingTimeoutMs: 100 })
    const id = await gateway.submit()
    const ping = () => gateway.asWorker('ping/w').catch(() => {})
    await ping()
    await expect(gateway.take()).rejects.toThrow('fetch failed')
    expect(await gateway.status(id)).toMatchObject({ status: 'IN_PROGRESS' })
    await vi.waitFor(async () => {
      await ping()
      expect(await gateway.status(id)).toMatchObject({ status: 'IN_QUEUE', retries: 1 })
    })
    expect(gateway.ledger.report().abandoned).toEqual([])
    expect(gateway.ledger.jobs()).toMatchObject([{ deliveries: [{ sent: 'none' }] }])
  })

  test('spares the takes of a worker that never pings', async () => {
    await using gateway = await openEmulated({ faults: { 'drop-after': 1 } })
    const id = await gateway.submit()
    expect(await gateway.take()).toMatchObject({ id })
  })
})

describe('fail-5xx', () => {
  test('of results comes before the effect or after it', async () => {
    await using gateway = await openEmulated({ faults: { 'fail-5xx': 1 } })
    const ids = await Promise.all(Array.from({ length: 12 }, () => gateway.submit()))
    const statuses = await Promise.all(ids.map(async (id) => (await gateway.post(id, {})).status))
    expect(statuses.every((status) => status >= 500 && status <= 504)).toBe(true)
    const jobs = gateway.ledger.jobs() as { posts: { status: number }[]; refusals: object[] }[]
    const posts = jobs.flatMap((job) => job.posts)
    const refusals = jobs.flatMap((job) => job.refusals)
    expect(posts.length).toBeGreaterThan(0)
    expect(refusals.length).toBeGreaterThan(0)
    expect(posts.length + refusals.length).toBe(12)
    expect(posts.every(({ status }) => status >= 500)).toBe(true)
  })

  test('of takes hands out nothing', async () => {
    await using gateway = await openEmulated({ faults: { 'fail-5xx': 1 } })
    await gateway.submit()
    expect((await gateway.asWorker('job-take/w')).status).toBeGreaterThanOrEqual(500)
    expect(gateway.store.counts()).toMatchObject({ inQueue: 1, inProgress: 0 })
  })
})

test('fail-429 asks for a pause at times', async () => {
  await using gateway = await openEmulated({ faults: { 'fail-429': 1 } })
  const answers = await Promise.all(Array.from({ length: 12 }, () => gateway.asWorker('ping/w')))
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([429]))
  expect(new Set(answers.map(({ headers }) => headers.get('retry-after')))).toEqual(new Set([null, '1']))
})

test('flashboot-400 hands out nothing', async () => {
  await using gateway = await openEmulated({ faults: { 'flashboot-400': 1 } })
  await gateway.submit()
  expect((await gateway.asWorker('job-take/w')).status).toBe(400)
  expect(gateway.store.counts()).toMatchObject({ inQueue: 1 })
})

test('job-stop-404 knows no job-stop', async () => {
  await using gateway = await openEmulated({ faults: { 'job-stop-404': 1 } })
  expect((await gateway.asWorker('job-stop/w')).status).toBe(404)
})

test('hang holds an answer whose effect has come', async () => {
  await using gateway = await openEmulated({ faults: { hang: 1 }, hangMs: 300 })
  const id = await gateway.submit()
  const startMs = performance.now()
  const taken = gateway.take()
  await vi.waitFor(async () => expect(await gateway.status(id)).toMatchObject({ status: 'IN_PROGRESS' }))
  expect(await taken).toMatchObject({ id })
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(295)
})

test('a job is missed from the arrival of a late answer on, not before', async () => {
  await using gateway = await openEmulated({ faults: { hang: 1 }, hangMs: 600, pingTimeoutMs: 500 })
  const id = await gateway.submit()
  expect(await gateway.take()).toMatchObject({ id })
  await gateway.asWorker('ping/w')
  expect(gateway.ledger.jobs()).toMatchObject([{ deliveries: [{ sent: 'whole' }], unlisted: [] }])
})

test('a job whose worker gave up before its answer was begun goes to another at once', async () => {
  await using gateway = await openEmulated({ faults: { hang: 1 }, hangMs: 300 })
  const id = await gateway.submit()
  const abort = new AbortController()
  const left = gateway.asWorker('job-take/impatient', { signal: abort.signal }).catch(() => 'left')
  await vi.waitFor(async () => expect(await gateway.status(id)).toMatchObject({ status: 'IN_PROGRESS' }))
  abort.abort()
  await left
  await vi.waitFor(async () =>
    expect(await gateway.status(id)).toMatchObject({ status: 'IN_QUEUE', retries: 1 }),
  )
})

test('slow-body sends the whole answer, in pieces', async () => {
  await using gateway = await openEmulated({ faults: { 'slow-body': 1 } })
  const id = await gateway.submit({ input: 'x'.repeat(1000) })
  const answer = await gateway.asWorker('job-take/w')
  let pieces = 0
  let text = ''
  for await (const piece of answer.body ?? []) {
    pieces++
    text += Buffer.from(piece).toString()
  }
  expect(pieces).toBeGreaterThan(3)
  expect(JSON.parse(text)).toMatchObject({ id })
})

describe('duplicate', () => {
  test('hands out a job again while it runs, alone or in a batch', async () => {
    await using gateway = await openEmulated({ faults: { duplicate: 1 } })
    const id = await gateway.submit()
    expect(await gateway.take()).toMatchObject({ id })
    await vi.waitFor(async () => expect(await gateway.take()).toMatchObject({ id }))
    const other = await gateway.submit()
    const batch = await (await gateway.asWorker('job-take-batch/w?batch_size=5')).json()
    expect(batch).toEqual(expect.arrayContaining([expect.objectContaining({ id: other })]))
    expect(batch).toHaveLength(2)
    expect(gateway.ledger.report()).toMatchObject({ submitted: 2, requeued: 0 })
  })

  test('hands out a job again shortly after it completed, and none that failed', async () => {
    await using gateway = await openEmulated({ faults: { duplicate: 1 } })
    const id = await gateway.submit({ input: 'once' })
    await gateway.take()
    await gateway.post(id, { output: 1 })
    await vi.waitFor(async () => expect(await gateway.take()).toMatchObject({ id, input: { input: 'once' } }))
    const failing = await gateway.submit()
    await vi.waitFor(async () => {
      await gateway.take().catch(() => {})
      expect(await gateway.status(failing)).toMatchObject({ status: 'IN_PROGRESS' })
    }, 4000)
    await gateway.post(failing, { error: 'no' })
    for (let round = 0; round < 10; round++) {
      const answer = await gateway.asWorker('job-take/w')
      if (answer.status === 200) expect(await answer.json()).toMatchObject({ id })
    }
  })
})

test('a worker that falls for a duplicate is found out, and one that posts again for good reason is not', async () => {
  await using gateway = await openEmulated({ faults: { duplicate: 1 } })
  const id = await gateway.submit()
  await gateway.take()
  await vi.waitFor(async () => expect(await gateway.take()).toMatchObject({ id }))
  await gateway.post(id, { output: 1 })
  expect(gateway.ledger.report().runTwice).toEqual([])
  await gateway.post(id, { output: 1 })
  await vi.waitFor(() => expect(gateway.ledger.report().runTwice).toMatchObject([{ id }]))
})

test('malformed items are no jobs, and no job is lost over them', async () => {
  await using gateway = await openEmulated({ faults: { malformed: 1 } })
  const id = await gateway.submit()
  const alone = await gateway.asWorker('job-take/w')
  expect(alone.status).toBe(200)
  expect(await alone.text()).not.toContain(id)
  const batch = (await (await gateway.asWorker('job-take-batch/w?batch_size=5')).json()) as unknown[]
  expect(batch).toHaveLength(2)
  expect(batch).toContainEqual(expect.objectContaining({ id }))
  expect(gateway.ledger.report()).toMatchObject({ submitted: 1, deliveries: 1 })
})

test('clock-jump moves the clock that jobs are timed by', async () => {
  await using gateway = await openEmulated({ faults: { 'clock-jump': 1 } })
  const id = await gateway.submit()
  const startMs = performance.now()
  await vi.waitFor(
    () => expect(gateway.ledger.report().faultsInjected['clock-jump']).toBeGreaterThan(0),
    3000,
  )
  await gateway.take()
  const passedMs = performance.now() - startMs
  expect((await gateway.status(id))['delayTime']).toBeGreaterThan(passedMs)
})
