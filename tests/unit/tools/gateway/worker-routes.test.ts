import { describe, expect, test, vi } from 'vitest'
import { KEY, openEmulated } from './emulated.ts'

describe('job-take', () => {
  test('hands out the oldest job as one object', async () => {
    await using gateway = await openEmulated()
    const id = await gateway.submit({ input: 'first' })
    await gateway.submit({ input: 'second' })
    expect(await gateway.take()).toMatchObject({ id, input: { input: 'first' } })
    expect(await gateway.status(id)).toMatchObject({ status: 'IN_PROGRESS', workerId: 'w' })
  })

  test('answers 204 where nothing came while it was held', async () => {
    await using gateway = await openEmulated()
    const answer = await gateway.asWorker('job-take/w')
    expect(answer.status).toBe(204)
    expect(await answer.text()).toBe('')
  })

  test('is answered as soon as a job comes', async () => {
    await using gateway = await openEmulated({ holdMs: 10_000 })
    const taken = gateway.take()
    const id = await gateway.submit()
    expect(await taken).toMatchObject({ id })
  })

  test('in batches hands out a list, as long as was asked for', async () => {
    await using gateway = await openEmulated()
    const ids = [await gateway.submit(), await gateway.submit(), await gateway.submit()]
    const batch = await gateway.asWorker('job-take-batch/w?batch_size=2&job_in_progress=0')
    expect(await batch.json()).toMatchObject([{ id: ids[0] }, { id: ids[1] }])
    const rest = await gateway.asWorker('job-take-batch/w?batch_size=2&job_in_progress=1')
    expect(await rest.json()).toMatchObject([{ id: ids[2] }])
  })

  test('understands parameters that are glued to the worker id', async () => {
    await using gateway = await openEmulated()
    const ids = [await gateway.submit(), await gateway.submit()]
    const batch = await gateway.asWorker('job-take-batch/w&batch_size=2&job_in_progress=0')
    expect(await batch.json()).toMatchObject([{ id: ids[0] }, { id: ids[1] }])
    expect(await gateway.status(ids[1] ?? '')).toMatchObject({ workerId: 'w' })
  })

  test('puts a job back whose worker has gone', async () => {
    await using gateway = await openEmulated({ holdMs: 10_000 })
    const abort = new AbortController()
    const left = gateway.asWorker('job-take/gone', { signal: abort.signal }).catch(() => 'left')
    await vi.waitFor(() => expect(gateway.store.counts()).toMatchObject({ inQueue: 0 }))
    abort.abort()
    await left
    const id = await gateway.submit()
    expect(await gateway.take('other')).toMatchObject({ id })
  })
})

describe('the key', () => {
  test.each([undefined, `Bearer ${KEY}`, 'another'])('is refused as %s', async (authorization) => {
    await using gateway = await openEmulated()
    await gateway.submit()
    const headers = authorization === undefined ? {} : { authorization }
    const answer = await fetch(`${gateway.url}/v2/local/job-take/w`, { headers })
    expect(answer.status).toBe(401)
    expect(gateway.store.counts()).toMatchObject({ inQueue: 1 })
  })

  test('is not asked for where there is none', async () => {
    await using gateway = await openEmulated({ workerKey: undefined })
    expect((await fetch(`${gateway.url}/v2/local/job-take/w`)).status).toBe(204)
  })

  test('of clients is another one', async () => {
    await using gateway = await openEmulated({ apiKey: 'client-key' })
    expect((await gateway.asClient('health')).status).toBe(401)
    const headers = { authorization: 'Bearer client-key' }
    expect((await fetch(`${gateway.url}/v2/local/health`, { headers })).status).toBe(200)
    expect((await gateway.asWorker('job-take/w')).status).toBe(204)
  })
})

test('only the one endpoint is served, on both sides', async () => {
  await using gateway = await openEmulated()
  const headers = { authorization: KEY }
  expect((await fetch(`${gateway.url}/v2/other/job-take/w`, { headers })).status).toBe(404)
  expect((await fetch(`${gateway.url}/v2/other/health`)).status).toBe(404)
})

const TABLE: readonly [string, unknown, object][] = [
  ['an output', { output: { a: 1 } }, { status: 'COMPLETED', output: { a: 1 } }],
  ['a null output', { output: null }, { status: 'COMPLETED', output: null }],
  ['nothing', {}, { status: 'COMPLETED' }],
  ['an error', { error: 'no luck' }, { status: 'FAILED', error: 'no luck' }],
  [
    'an error and an output',
    { error: 'no luck', output: [1] },
    { status: 'FAILED', error: 'no luck', output: [1] },
  ],
  ['an empty error', { error: '', output: 1 }, { status: 'COMPLETED', output: 1 }],
  ['a null error', { error: null, output: 1 }, { status: 'COMPLETED', output: 1 }],
]

describe('job-done', () => {
  test.each(TABLE)('with %s', async (_, body, expected) => {
    await using gateway = await openEmulated()
    const id = await gateway.submit()
    await gateway.take()
    expect((await gateway.post(id, body)).status).toBe(200)
    const told = await gateway.status(id)
    expect(told).toEqual({
      id,
      workerId: 'w',
      delayTime: expect.any(Number),
      executionTime: expect.any(Number),
      ...expected,
    })
    expect(gateway.ledger.report()).toMatchObject({ answered: 1, lost: [] })
  })

  test('reads its body as JSON whatever it is called', async () => {
    await using gateway = await openEmulated()
    const id = await gateway.submit()
    await gateway.take()
    const answer = await fetch(`${gateway.url}/v2/local/job-done/w/${id}&isStream=false`, {
      method: 'POST',
      headers: { authorization: KEY, 'content-type': 'application/x-www-form-urlencoded' },
      body: '{"output":"ä"}',
    })
    expect(answer.status).toBe(200)
    expect(await gateway.status(id)).toMatchObject({ status: 'COMPLETED', output: 'ä' })
  })

  test('with progress shows it, and the job goes on', async () => {
    await using gateway = await openEmulated()
    const id = await gateway.submit()
    await gateway.take()
    await gateway.post(id, { status: 'IN_PROGRESS', output: { done: 1 } })
    expect(await gateway.status(id)).toMatchObject({ status: 'IN_PROGRESS', output: { done: 1 } })
    await gateway.post(id, { output: 2 })
    await gateway.post(id, { status: 'IN_PROGRESS', output: { done: 3 } })
    expect(await gateway.status(id)).toMatchObject({ status: 'COMPLETED', output: 2 })
    expect(gateway.ledger.report()).toMatchObject({ results: 1 })
  })

  test.each([
    ['an error that is no string', { error: { message: 'no luck' }, output: 1 }, 200],
    ['no JSON', '{"output":', 400],
    ['JSON that is no object', '[1]', 400],
    ['nothing at all', '', 400],
    ['more than 20 MB', { output: 'x'.repeat(20_000_000) }, 400],
  ])('loses the output of a result with %s, as was observed', async (_, body, status) => {
    await using gateway = await openEmulated()
    const id = await gateway.submit()
    await gateway.take()
    expect((await gateway.post(id, body)).status).toBe(status)
    const job = await gateway.status(id)
    expect(job).toMatchObject({ status: 'COMPLETED' })
    expect(job).not.toHaveProperty('output')
    expect(job).not.toHaveProperty('error')
    expect(gateway.ledger.report().lost).toMatchObject([
      { id, why: expect.stringContaining('without output') },
    ])
  })

  test('when lenient, takes an error that is no string', async () => {
    await using gateway = await openEmulated({ strict: false })
    const id = await gateway.submit()
    await gateway.take()
    await gateway.post(id, { error: { message: 'no luck' } })
    expect(await gateway.status(id)).toMatchObject({ status: 'FAILED', error: '{"message":"no luck"}' })
  })

  test('when lenient, waits for what comes in place of a bad result', async () => {
    await using gateway = await openEmulated({ strict: false })
    const id = await gateway.submit()
    await gateway.take()
    expect((await gateway.post(id, '{"output":')).status).toBe(400)
    expect(await gateway.status(id)).toMatchObject({ status: 'IN_PROGRESS' })
    await gateway.post(id, { error: 'it was too large' })
    expect(await gateway.status(id)).toMatchObject({ status: 'FAILED', error: 'it was too large' })
    expect(gateway.ledger.report()).toMatchObject({ lost: [], runTwice: [] })
  })

  test('is accepted and without effect for a job that has ended or is unknown', async () => {
    await using gateway = await openEmulated()
    const id = await gateway.submit()
    await gateway.take()
    await gateway.asClient(`cancel/${id}`, {})
    expect((await gateway.post(id, { output: 1 })).status).toBe(200)
    expect((await gateway.post('nobody', { output: 1 })).status).toBe(200)
    expect(await gateway.status(id)).toMatchObject({ status: 'CANCELLED' })
  })

  test('is taken from a worker that was thought dead', async () => {
    await using gateway = await openEmulated()
    const id = await gateway.submit()
    await gateway.take('slow')
    gateway.store.requeue('slow')
    await gateway.take('other')
    await gateway.post(id, { output: 1 }, 'slow')
    expect(await gateway.status(id)).toMatchObject({ status: 'COMPLETED', workerId: 'slow', retries: 1 })
    await gateway.post(id, { output: 2 }, 'other')
    expect(await gateway.status(id)).toMatchObject({ output: 1 })
    expect(gateway.ledger.report()).toMatchObject({ answeredTwice: [], runTwice: [] })
  })
})

describe('job-stop', () => {
  test('names the jobs that were cancelled while they ran', async () => {
    await using gateway = await openEmulated({ holdMs: 10_000 })
    const id = await gateway.submit()
    await gateway.take()
    const stops = gateway.asWorker('job-stop/w?gpu=none')
    await gateway.asClient(`cancel/${id}`, {})
    expect(await (await stops).json()).toEqual({ jobsToStop: [id] })
  })

  test('answers 204 where there are none', async () => {
    await using gateway = await openEmulated()
    expect((await gateway.asWorker('job-stop/w')).status).toBe(204)
  })
})

test('job-stream feeds what clients stream', async () => {
  await using gateway = await openEmulated()
  const id = await gateway.submit()
  await gateway.take()
  const post = (body: string) =>
    gateway.asWorker(`job-stream/w/${id}&isStream=false`, { method: 'POST', body })
  expect((await post('{"output":"a"}')).status).toBe(200)
  expect((await post('no json')).status).toBe(400)
  expect((await post(JSON.stringify({ output: 'x'.repeat(1_000_000) }))).status).toBe(400)
  const streamed = await (await gateway.asClient(`stream/${id}`)).json()
  expect(streamed).toEqual({ status: 'IN_PROGRESS', stream: [{ output: 'a' }] })
})

describe('pings', () => {
  test('that do not name a job give it to another worker', async () => {
    await using gateway = await openEmulated({ pingTimeoutMs: 100 })
    const kept = await gateway.submit()
    const dropped = await gateway.submit()
    await gateway.take()
    await gateway.take()
    const ping = () => gateway.asWorker(`ping/w?job_id=${kept}%2Cunknown&runpod_version=1`)
    await vi.waitFor(async () => {
      expect((await ping()).status).toBe(200)
      expect(await gateway.status(dropped)).toMatchObject({ status: 'IN_QUEUE', retries: 1 })
    })
    expect(await gateway.status(kept)).toMatchObject({ status: 'IN_PROGRESS' })
    expect(gateway.ledger.report().requeued).toBe(1)
  })

  test('that cease give all jobs to another worker', async () => {
    await using gateway = await openEmulated({ pingTimeoutMs: 100 })
    const id = await gateway.submit()
    await gateway.asWorker('ping/w')
    await gateway.take()
    await vi.waitFor(async () => expect(await gateway.status(id)).toMatchObject({ status: 'IN_QUEUE' }))
    expect(await gateway.take('other')).toMatchObject({ id })
  })

  test('can say that a worker cannot start', async () => {
    const print = vi.fn<(line: string) => void>()
    await using gateway = await openEmulated({ print })
    await gateway.asWorker('ping/w?status=unhealthy&check=model&reason=no%20such%20folder')
    expect(print).toHaveBeenCalledWith('w cannot start: model: no such folder')
  })
})

test('health counts jobs and workers', async () => {
  await using gateway = await openEmulated()
  const id = await gateway.submit()
  await gateway.submit()
  await gateway.take()
  const health = async () => (await gateway.asClient('health')).json()
  expect(await health()).toMatchObject({
    jobs: { inProgress: 1, inQueue: 1 },
    workers: { running: 1, idle: 0, ready: 1 },
  })
  await gateway.post(id, {})
  expect(await health()).toMatchObject({
    jobs: { completed: 1, inProgress: 0, inQueue: 1 },
    workers: { running: 0, idle: 1, ready: 1 },
  })
})

test('clients that are told different things are noticed, and the same thing twice is not', async () => {
  await using gateway = await openEmulated()
  const id = await gateway.submit()
  await gateway.take()
  await gateway.status(id)
  await gateway.post(id, { output: 1 })
  await gateway.status(id)
  await gateway.asClient(`status-sync/${id}`)
  expect(gateway.ledger.report().answeredTwice).toEqual([])
  const job = gateway.store.get(id) as { error: string | undefined }
  job.error = 'changed behind its back'
  await gateway.status(id)
  expect(gateway.ledger.report().answeredTwice).toMatchObject([{ id }])
})
