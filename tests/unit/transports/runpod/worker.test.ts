import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { ResultReplaced } from '../../../../src/transports/runpod/job-source.ts'
import { RetryLater } from '../../../../src/transports/runpod/retry-later.ts'
import { openFakeWorker } from '../../../fakes/queue-worker.ts'
import { settle } from '../../../fakes/runner.ts'

/** Jobs with these ids. */
function jobs(...ids: unknown[]): object[] {
  return ids.map((id) => ({ id, input: {} }))
}

async function start(options: Parameters<typeof openFakeWorker>[0] = {}) {
  const fake = openFakeWorker(options)
  let isOver = false
  const running = fake.worker.run().then(() => (isOver = true))
  await settled()
  return { ...fake, running, isOver: () => isOver }
}

/** Encoding and posting take turns of their own. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await settle()
}

describe('slots', () => {
  test('that are free are asked for, all at once', async () => {
    const { source } = await start()
    expect(source.takes).toEqual([{ count: 3, jobsInProgress: false }])
    source.give(...jobs('a', 'b'))
    await settled()
    expect(source.takes.slice(1)).toEqual([{ count: 1, jobsInProgress: true }])
  })

  test('that are all taken end the taking, and the first one that is free begins it', async () => {
    const { source, job } = await start()
    source.give(...jobs('a', 'b', 'c'))
    await settled()
    expect(source.isTaking).toBe(false)
    job('b').end()
    await settled()
    expect(source.takes.slice(1)).toEqual([{ count: 1, jobsInProgress: true }])
  })

  test('that get free during a take are asked for after it', async () => {
    const { source, job } = await start()
    source.give(...jobs('a', 'b'))
    await settled()
    job('a').end()
    job('b').end()
    await settled()
    expect(source.takes).toHaveLength(2)
    source.give()
    await settled()
    expect(source.takes[2]).toEqual({ count: 3, jobsInProgress: false })
  })

  test('are no reason to lose a job: more than were asked for are run in their turn', async () => {
    const { source, job, began, worker } = await start({ maxConcurrency: 1 })
    source.give(...jobs('a', 'b', 'c'))
    await settled()
    expect([began, worker.jobCount]).toEqual([['a'], 3])
    job('a').end()
    await settled()
    expect(began).toEqual(['a', 'b'])
    job('b').end()
    await settled()
    expect([began, source.isTaking]).toEqual([['a', 'b', 'c'], false])
    job('c').end()
    await settled()
    expect(source.isTaking).toBe(true)
  })

  test('stay empty while the engine has no room, until a job ends', async () => {
    let isFull = false
    const { source, job } = await start({ isFull: () => isFull })
    isFull = true
    source.give(...jobs('a', 'b'))
    await settled()
    expect(source.isTaking).toBe(false)
    isFull = false
    job('a').end()
    await settled()
    expect(source.isTaking).toBe(true)
  })

  test('are not kept empty by a full engine when no job could end', async () => {
    const { source } = await start({ isFull: () => true })
    expect(source.isTaking).toBe(true)
  })
})

describe('results that cannot be given back', () => {
  const LARGE = { json: Buffer.alloc(100_000_000), isListOfOne: false }

  test('end the taking when they have 256 MB, until some are through', async () => {
    const { source, worker } = await start({
      maxConcurrency: 10,
      run: async () => ({ output: 1 }),
      deliver: async () => ({ output: LARGE }),
    })
    source.finishing = new Promise(() => {})
    source.give(...jobs('a', 'b'))
    await settled()
    expect(source.isTaking).toBe(true)
    source.give(...jobs('c'))
    await settled()
    expect([source.isTaking, worker.jobCount]).toEqual([false, 3])
    source.stop('b')
    await settled()
    expect([source.isTaking, worker.jobCount]).toEqual([true, 2])
  })
})

describe('a result', () => {
  test('is delivered, and only then the heartbeat forgets the job', async () => {
    const { source, job, heldByHeartbeat, named, clock, ends } = await start()
    source.give(...jobs('a'))
    await settled()
    const finishing = Promise.withResolvers<void>()
    source.finishing = finishing.promise
    clock.ms = 40
    job('a').end({ output: { data: [1] } })
    await settled()
    expect(heldByHeartbeat.at(-1)).toEqual(['a'])
    expect(source.finished).toEqual([])
    finishing.resolve()
    await settled()
    expect(source.finished).toEqual([{ id: 'a', output: { data: [1] }, stopPod: false }])
    expect(heldByHeartbeat.at(-1)).toEqual([])
    expect(named('job_done')).toMatchObject([{ jobId: 'a', ms: 40, bytes: 12, outcome: 'completed' }])
    expect(ends).toEqual([{ outcome: 'completed', ms: 40 }])
  })

  test('that is an error fails the job', async () => {
    const { source, job, named, ends } = await start()
    source.give(...jobs('a'))
    await settled()
    job('a').end({ error: 'no such model' })
    await settled()
    expect(source.finished).toEqual([{ id: 'a', error: 'no such model', stopPod: false }])
    expect(named('job_done')).toMatchObject([{ outcome: 'failed', bytes: 13 }])
    expect(ends).toMatchObject([{ outcome: 'failed' }])
  })

  test.each([
    ['running', { run: async () => Promise.reject(new Error('a bug')) }],
    [
      'running, at once',
      {
        run: () => {
          throw new Error('a bug')
        },
      },
    ],
    [
      'delivering',
      { run: async () => ({ output: 1 }), deliver: async () => Promise.reject(new Error('a bug')) },
    ],
  ])('is an error where %s throws', async (_, options) => {
    const { source } = await start(options)
    source.give(...jobs('a'))
    await settled()
    expect(source.finished).toEqual([{ id: 'a', error: 'a bug', stopPod: false }])
  })

  test('that is lost is logged, and its slot is free', async () => {
    const { source, job, named, ends, worker } = await start()
    source.finishing = Promise.reject(new Error('HTTP 400 for both'))
    source.finishing.catch(() => {})
    source.give(...jobs('a'))
    await settled()
    job('a').end()
    await settled()
    expect(named('result_lost')).toMatchObject([{ jobId: 'a', error: 'HTTP 400 for both' }])
    expect([ends, worker.jobCount]).toEqual([[{ outcome: 'lost', ms: 0 }], 0])
  })

  test('that is unwanted is logged as that, and no answer', async () => {
    const { source, job, named, ends, began } = await start()
    source.receipt = 'unwanted'
    source.give(...jobs('a'))
    await settled()
    job('a').end()
    await settled()
    expect(named('job_done')).toMatchObject([{ jobId: 'a', outcome: 'unwanted' }])
    expect(ends).toEqual([{ outcome: 'unwanted', ms: 0 }])
    source.give()
    await settled()
    source.give(...jobs('a'))
    await settled()
    expect([began, named('job_duplicate')]).toEqual([['a', 'a'], []])
  })

  test('that waits to be delivered has let go of its job', async () => {
    const held: WeakRef<object>[] = []
    const { source } = await start({
      run: async ({ input }) => {
        held.push(new WeakRef(input as object))
        return { output: 1 }
      },
    })
    source.finishing = new Promise(() => {})
    source.give(...jobs('a', 'b'))
    await settled()
    setFlagsFromString('--expose-gc')
    const gc = runInNewContext('gc') as () => void
    await expect
      .poll(() => {
        gc()
        return held.map((ref) => ref.deref())
      })
      .toEqual([undefined, undefined])
  })

  test('that an error has replaced fails the job, and is not lost', async () => {
    const { source, job, named, ends } = await start()
    source.finishing = Promise.reject(new ResultReplaced('too large'))
    source.finishing.catch(() => {})
    source.give(...jobs('a'))
    await settled()
    job('a').end()
    await settled()
    expect([named('result_lost'), ends]).toEqual([[], [{ outcome: 'failed', ms: 0 }]])
  })

  test('asks for another worker where the engine is broken, and no more jobs are taken', async () => {
    let isBroken = false
    const { source, job, running } = await start({ isBroken: () => isBroken })
    source.give(...jobs('a', 'b'))
    await settled()
    isBroken = true
    job('a').end({ error: 'the inference thread died' })
    job('b').end({ error: 'the inference thread died' })
    await settled()
    source.give()
    await running
    expect(source.finished.map(({ stopPod }) => stopPod)).toEqual([true, true])
    expect(source.isTaking).toBe(false)
  })
})

describe('a worker to be refreshed', () => {
  test('asks for it with every result, and ends after the jobs in hand', async () => {
    const { source, job, running, isOver } = await start({ refreshWorker: true })
    source.give()
    await settled()
    source.give(...jobs('a', 'b'))
    await settled()
    expect(source.isTaking).toBe(false)
    job('a').end()
    await settled()
    expect(isOver()).toBe(false)
    job('b').end({ error: 'x' })
    await running
    expect(source.finished).toEqual([
      { id: 'a', output: 'a', stopPod: true },
      { id: 'b', error: 'x', stopPod: true },
    ])
    expect(source.takes).toHaveLength(2)
  })
})

describe('what is no job', () => {
  test.each([
    ['null', null, 'it is not an object'],
    ['a list', [], 'it is not an object'],
    ['a text', 'job', 'it is not an object'],
    ['an object without id', { input: {} }, 'it has no id'],
    ['an empty id', { id: '', input: {} }, 'it has no id'],
    ['an id that is an object', { id: {} }, 'it has no id'],
  ])('%s is logged and dropped; its neighbours run', async (_, item, reason) => {
    const { source, began, named } = await start()
    source.give(item, ...jobs('a'))
    await settled()
    expect(began).toEqual(['a'])
    expect(named('job_malformed')).toMatchObject([{ reason }])
  })

  test('a number is an id as well', async () => {
    const { source, job } = await start()
    source.give(...jobs(17))
    await settled()
    job('17').end()
    await settled()
    expect(source.finished).toMatchObject([{ id: '17' }])
  })
})

describe('a second delivery', () => {
  test('of a job under way is dropped', async () => {
    const { source, began, named, job } = await start()
    source.give(...jobs('a', 'a'))
    await settled()
    source.give(...jobs('a'))
    await settled()
    expect(began).toEqual(['a'])
    expect(named('job_duplicate')).toMatchObject([{ state: 'under way' }, { state: 'under way' }])
    job('a').end()
    await settled()
    expect(source.finished).toHaveLength(1)
  })

  test('of a job just answered is dropped, for half a minute', async () => {
    const { source, began, named, job, clock } = await start()
    source.give(...jobs('a'))
    await settled()
    job('a').end()
    await settled()
    source.give()
    await settled()
    clock.ms = 29_999
    source.give(...jobs('a'))
    await settled()
    expect(began).toEqual(['a'])
    expect(named('job_duplicate')).toMatchObject([{ jobId: 'a', state: 'answered' }])
    clock.ms = 30_001
    source.give(...jobs('a'))
    await settled()
    expect(began).toEqual(['a', 'a'])
  })

  test.each([
    ['that failed', { error: 'x' }, undefined],
    ['whose output was replaced by an error', { output: 1 }, new ResultReplaced('too large')],
    ['whose result was lost', { output: 1 }, new Error('lost')],
  ])('of a job %s is a retry, and run', async (_, result, failure) => {
    const { source, began, job } = await start()
    if (failure !== undefined) {
      source.finishing = Promise.reject(failure)
      source.finishing.catch(() => {})
    }
    source.give(...jobs('a'))
    await settled()
    job('a').end(result)
    await settled()
    source.give()
    await settled()
    source.give(...jobs('a'))
    await settled()
    expect(began).toEqual(['a', 'a'])
  })
})

describe('a stop', () => {
  test('ends the job at once and posts nothing', async () => {
    const { source, job, heldByHeartbeat, named, ends, worker } = await start({ maxConcurrency: 1 })
    source.give(...jobs('a'))
    await settled()
    source.stop('unknown', 'a')
    await settled()
    expect(job('a').signal.aborted).toBe(true)
    expect([worker.jobCount, heldByHeartbeat.at(-1), source.isTaking]).toEqual([0, [], true])
    expect(named('job_stopped')).toMatchObject([{ jobId: 'a' }])
    job('a').end()
    await settled()
    expect(source.finished).toEqual([])
    expect(ends).toEqual([{ outcome: 'stopped', ms: 0 }])
    expect(named('job_done')).toEqual([])
  })

  test('that comes while the result is posted leaves the slot once, and no error', async () => {
    const { source, job, named, ends, worker } = await start()
    source.finishing = new Promise(() => {})
    source.give(...jobs('a'))
    await settled()
    job('a').end()
    await settled()
    source.stop('a')
    await settled()
    expect([worker.jobCount, named('result_lost'), ends]).toEqual([0, [], [{ outcome: 'stopped', ms: 0 }]])
  })

  test('lets the same job be run again, and its old run does not disturb the new one', async () => {
    const { source, job, worker } = await start()
    source.give(...jobs('a'))
    await settled()
    const old = job('a')
    source.stop('a')
    await settled()
    source.give()
    await settled()
    source.give(...jobs('a'))
    await settled()
    old.end({ output: 'old' })
    await settled()
    expect([worker.jobCount, source.finished]).toEqual([1, []])
    job('a').end({ output: 'new' })
    await settled()
    expect(source.finished).toMatchObject([{ output: 'new' }])
  })

  test('channel that fails is asked again after as long as it says', async () => {
    const { source, named, job } = await start()
    source.give(...jobs('a'))
    await settled()
    source.failStop(new RetryLater('HTTP 404', 0, { status: 404 }))
    await expect.poll(() => named('stop_failed')).toMatchObject([{ level: 'info', status: 404, retryMs: 0 }])
    await expect
      .poll(() => {
        source.stop('a')
        return job('a').signal.aborted
      })
      .toBe(true)
  })
})

describe('a take that fails', () => {
  test('is made again after as long as it says', async () => {
    const { source, named } = await start()
    source.failTake(new RetryLater('job-take was answered with HTTP 503', 1, { status: 503 }))
    await expect.poll(() => source.takes.length).toBe(2)
    expect(named('take_failed')).toMatchObject([
      { level: 'warn', status: 503, error: 'job-take was answered with HTTP 503', retryMs: 1, count: 1 },
    ])
  })

  test('is not made again before, nor when the worker stops meanwhile', async () => {
    const { source, worker, running } = await start()
    source.failTake(new RetryLater('HTTP 503', 60_000, { status: 503 }))
    await settled()
    await worker.drain(60_000)
    await running
    expect(source.takes).toHaveLength(1)
  })

  test('for want of a key is said loudly', async () => {
    const { source, named } = await start()
    source.failTake(new RetryLater('HTTP 401', 0, { status: 401 }))
    await settled()
    expect(named('take_failed')).toMatchObject([{ level: 'error', status: 401 }])
  })

  test('again and again is logged every ten seconds, with how often', async () => {
    const { source, named, clock } = await start()
    for (let times = 1; times <= 30; times++) {
      source.failTake(new RetryLater('HTTP 500', 0, { status: 500 }))
      await expect.poll(() => source.takes.length, { interval: 1 }).toBe(times + 1)
      clock.ms += 1000
    }
    expect(named('take_failed')).toMatchObject([{ count: 1 }, { count: 10 }, { count: 10 }])
  })
})

test('progress of a large job comes before its result, and that of a stopped one not at all', async () => {
  const { source, job } = await start()
  const progressing = Promise.withResolvers<void>()
  source.progressing = progressing.promise
  source.give(...jobs('a', 'b'))
  await settled()
  job('a').onProgress(256, 2048)
  job('b').onProgress(512, 2048)
  source.stop('a')
  await expect
    .poll(() => source.progressed, { timeout: 4000 })
    .toEqual([{ id: 'b', output: { object: 'progress', done: 512, total: 2048 } }])
  job('b').end()
  await settled()
  expect(source.finished).toEqual([])
  progressing.resolve()
  await settled()
  expect(source.finished).toMatchObject([{ id: 'b' }])
})
