/** What a lane takes in, and what it lets go. */
import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { ResultCache } from '../../../src/engine/result-cache.ts'
import { firstIds, oneTokenRows, openLane, outcome, requestOf } from '../../fakes/lane.ts'
import type { FakeLane } from '../../fakes/lane.ts'
import { joinIds } from '../../fakes/rows.ts'
import { settle } from '../../fakes/runner.ts'

const IDLE = { queuedItems: 0, heldRequests: 0, waitingTokens: 0, runningBatches: 0 }

describe('admission', () => {
  test('a request is admitted whole or refused whole, and a refused one is never tokenized', async () => {
    const { lane, runner } = openLane({ queueSize: 10, maxRows: 4 })
    const first = lane.submit(requestOf(oneTokenRows(0, 8)))
    await settle()
    expect(lane.stats).toMatchObject({ queuedItems: 4, runningBatches: 1 })
    let tokenized = 0
    const tokenize = async () => joinIds([[++tokenized]])
    const refused = await outcome(lane.submit(requestOf(oneTokenRows(0, 7), { tokenize })))
    expect(refused).toEqual({
      code: 'overloaded',
      message:
        'the queue of fake-model holds 4 items; 7 more would pass its limit of 10 (INFINITY_QUEUE_SIZE)',
    })
    expect(lane.stats.queuedItems).toBe(4)
    const second = lane.submit(requestOf(oneTokenRows(50, 6)))
    expect(lane.stats.queuedItems).toBe(10)
    await runner.finishAll()
    expect(firstIds(await second)).toEqual([50, 51, 52, 53, 54, 55])
    await first
    expect(tokenized).toBe(0)
    expect(lane.stats).toEqual(IDLE)
  })

  test('a request that the queue could never hold is too large, not an overload', async () => {
    const { lane } = openLane({ queueSize: 10 })
    expect(await outcome(lane.submit(requestOf(oneTokenRows(0, 11), { noun: 'document' })))).toEqual({
      code: 'request_too_large',
      message: 'the request has 11 documents; fake-model queues at most 10 (INFINITY_QUEUE_SIZE)',
    })
    expect(lane.stats).toEqual(IDLE)
  })

  test.each([
    { batchMs: 8, retryAfterMs: 1000, about: 'at least a second' },
    { batchMs: 8_000, retryAfterMs: 10_000, about: 'the batch under way, and what its first item takes' },
    { batchMs: 80_000, retryAfterMs: 60_000, about: 'at most a minute' },
  ])('an overload says when to come back: $about', async ({ batchMs, retryAfterMs }) => {
    const { lane, runner, clock } = openLane({ queueSize: 10, maxRows: 4 })
    const running = [lane.submit(requestOf(oneTokenRows(0, 8))), lane.submit(requestOf(oneTokenRows(8, 2)))]
    await settle()
    const last = lane.submit(requestOf(oneTokenRows(20, 2)))
    for (let batch = 0; batch < 2; batch++) {
      await settle()
      clock.ms += batchMs
      runner.finish()
    }
    await settle()
    const waiting = lane.submit(requestOf(oneTokenRows(10, 10)))
    await expect(lane.submit(requestOf([[1]]))).rejects.toMatchObject({ code: 'overloaded', retryAfterMs })
    await runner.finishAll()
    await Promise.all([...running, last, waiting])
  })

  test('tokens are estimated by characters until they are known, and then counted', async () => {
    const { lane, runner } = openLane({ queueSize: 100, queueTokens: 100 })
    const running = lane.submit(requestOf([[1], [2], [3], [4], [5]]))
    await settle()
    // 320 characters may well be 83 tokens; they are two.
    const tokenized = Promise.withResolvers<ReturnType<typeof joinIds>>()
    const unknown = { sizes: [320], tokenize: () => tokenized.promise }
    const first = lane.submit(requestOf([[6, 7]], unknown))
    const message =
      'the queue of fake-model holds 2 items of 84 tokens; about 83 more would pass its limit of 100 (MAX_QUEUE_TOKENS)'
    expect(await outcome(lane.submit(requestOf([[8]], { sizes: [320] })))).toEqual({
      code: 'overloaded',
      message,
    })
    tokenized.resolve(joinIds([[6, 7]]))
    await settle()
    const second = lane.submit(requestOf([[8]], { sizes: [320] }))
    await runner.finishAll()
    expect(firstIds(await first)).toEqual([6])
    expect(firstIds(await second)).toEqual([8])
    await running
    expect(lane.stats).toEqual(IDLE)
  })

  test('a request that would be answered too late is refused before it is tokenized', async () => {
    const { lane, runner, clock } = openLane({ queueSize: 100, maxRows: 4 })
    const job = lane.submit(requestOf(oneTokenRows(0, 40), { sizes: Array.from({ length: 40 }, () => 4) }))
    await settle()
    for (let batch = 0; batch < 2; batch++) {
      clock.ms += 400
      runner.finish()
      await settle()
    }
    let tokenized = 0
    const ask = (withinMs: number, priority?: 'high') =>
      requestOf(oneTokenRows(50, 8), {
        options: { withinMs, priority },
        tokenize: async (from, to) => {
          tokenized++
          return joinIds(oneTokenRows(50, 8).slice(from, to))
        },
      })
    // 100 ms a token: as many of the job, its own, and the batch under way; twice the time is let pass
    expect(await outcome(lane.submit(ask(999)))).toMatchObject({ code: 'overloaded' })
    expect(tokenized).toBe(0)
    const urgent = lane.submit(ask(600, 'high'))
    await runner.finishAll()
    expect(firstIds(await urgent)).toHaveLength(8)
    await job
    expect(lane.stats).toEqual(IDLE)
  })

  test('before any text has told how many tokens it becomes, none is refused for its deadline', async () => {
    const { lane, runner, clock } = openLane({ queueSize: 100, maxRows: 4 })
    // Without characters they tell nothing.
    const silent = { sizes: Array.from({ length: 40 }, () => 0) }
    const job = lane.submit(requestOf(oneTokenRows(0, 40), silent))
    await settle()
    for (let batch = 0; batch < 2; batch++) {
      clock.ms += 400
      runner.finish()
      await settle()
    }
    const options = { withinMs: 1 }
    const first = lane.submit(requestOf([[50]], { options }))
    await settle()
    expect(await outcome(lane.submit(requestOf([[51]], { options })))).toMatchObject({
      code: 'deadline_exceeded',
    })
    await runner.finishAll()
    expect(firstIds(await first)).toEqual([50])
    await job
  })
})

describe('a request with a deadline', () => {
  /** A job runs that takes 100 ms a token, measured, and most of it waits. */
  async function openBusy(options: Parameters<typeof openLane>[0] = {}) {
    const fake = openLane({ queueSize: 1000, maxRows: 4, ...options })
    const job = fake.lane.submit(
      requestOf(oneTokenRows(0, 40), { sizes: Array.from({ length: 40 }, () => 4) }),
    )
    await settle()
    for (let batch = 0; batch < 2; batch++) {
      fake.clock.ms += 400
      fake.runner.finish()
      await settle()
    }
    return { ...fake, job }
  }

  const copies = Array.from({ length: 60 }, () => [50])
  const options = { withinMs: 1000 }

  test('is not refused for copies of a text, which are computed once, but for as many different ones', async () => {
    const { lane, runner, job } = await openBusy()
    const texts = copies.map(() => 'one text')
    const different = requestOf(copies, { texts: texts.map((text, n) => `${text} ${n}`), options })
    expect(await outcome(lane.submit(different))).toMatchObject({ code: 'deadline_exceeded' })
    const answer = lane.submit(requestOf(copies, { texts, options: { ...options, priority: 'high' } }))
    await runner.finishAll()
    expect(firstIds(await answer)).toEqual(copies.flat())
    await job
  })

  test('is not refused where the cache may know its texts, for its own work or behind others', async () => {
    const { lane, runner, job } = await openBusy({ cache: new ResultCache({ maxBytes: 1_000_000 }) })
    const known = oneTokenRows(0, 8)
    const answer = lane.submit(requestOf(known, { options: { withinMs: 1 } }))
    await settle()
    expect(firstIds(await answer)).toEqual(known.flat())
    expect(lane.stats.queuedItems).toBeGreaterThan(0)
    await runner.finishAll()
    await job
  })

  test('is refused where it wants the vectors of its tokens, which no cache keeps', async () => {
    const { lane, runner, job } = await openBusy({ cache: new ResultCache({ maxBytes: 1_000_000 }) })
    const asked = requestOf(oneTokenRows(0, 40), { wantsTokens: true, options })
    expect(await outcome(lane.submit(asked))).toMatchObject({ code: 'deadline_exceeded' })
    await runner.finishAll()
    await job
  })
})

describe('what texts will be in tokens', () => {
  /** Tokens of what waits, told by the error that a request gets for which there is no room. */
  async function estimated({ lane }: Pick<FakeLane, 'lane'>, size: number): Promise<string> {
    const refused = await outcome(lane.submit(requestOf([[8]], { sizes: [size] })))
    return 'message' in refused ? (/about (\d+) more/.exec(refused.message)?.[1] ?? refused.message) : 'none'
  }

  /** Of a queue that has no room for a token more. */
  async function openFull(options: Parameters<typeof openLane>[0] = {}) {
    const fake = openLane({ queueTokens: 1, ...options })
    const plug = fake.lane.submit(requestOf([[1]], { sizes: [0] }))
    await settle()
    const waiting = fake.lane.submit(requestOf([[2]], { sizes: [0] }))
    await settle()
    return { ...fake, all: [plug, waiting] }
  }

  test.each([
    [0, '200'],
    [1, '100'],
  ])('is learned from a chunk of which %i were cut: of 400 characters %s', async (truncatedRows, told) => {
    const { all, ...fake } = await openFull()
    await fake.runner.finishAll()
    const rows = Array.from({ length: 50 }, (_, n) => Array.from({ length: 200 }, (_, id) => n + id))
    const tokenize = async (from: number, to: number) => ({ ...joinIds(rows.slice(from, to)), truncatedRows })
    const sizes = rows.map(() => 397)
    const taught = fake.lane.submit(requestOf(rows, { sizes, tokenize, tokenizeFirst: true }))
    await settle()
    const { lane } = fake
    expect(await estimated({ lane }, 400)).toBe(told)
    await fake.runner.finishAll()
    await Promise.all([...all, taught])
  })

  test("is bounded by what the model's files let a row have", async () => {
    const { all, ...fake } = await openFull({ maxRowTokens: 64 })
    expect(await estimated(fake, 100_000)).toBe('64')
    await fake.runner.finishAll()
    await Promise.all(all)
  })
})

describe('cancelling', () => {
  test('a request that comes cancelled does nothing', async () => {
    const { lane, runner } = openLane()
    let tokenized = 0
    const submission = requestOf([[1]], {
      options: { signal: AbortSignal.abort() },
      tokenize: async () => joinIds([[++tokenized]]),
    })
    expect(await outcome(lane.submit(submission))).toMatchObject({ code: 'cancelled' })
    expect([tokenized, runner.batches.length]).toEqual([0, 0])
    expect(lane.stats).toEqual(IDLE)
  })

  test('cancelled while its texts are tokenized, it ends at once and never reaches the device', async () => {
    const { lane, runner } = openLane()
    const controller = new AbortController()
    const tokenized = Promise.withResolvers<ReturnType<typeof joinIds>>()
    const submission = requestOf([[1]], {
      options: { signal: controller.signal },
      tokenize: () => tokenized.promise,
    })
    const ended = outcome(lane.submit(submission))
    expect(lane.stats.queuedItems).toBe(1)
    controller.abort()
    expect(await ended).toEqual({ code: 'cancelled', message: 'the request was cancelled' })
    expect(lane.stats).toEqual(IDLE)
    tokenized.resolve(joinIds([[1]]))
    await settle()
    expect(runner.batches).toEqual([])
    expect(lane.stats).toEqual(IDLE)
  })

  test('cancelled while it waits, it leaves the queue at once', async () => {
    const { lane, runner } = openLane()
    const running = lane.submit(requestOf([[1]]))
    await settle()
    const controller = new AbortController()
    const ended = outcome(
      lane.submit(requestOf(oneTokenRows(10, 6), { options: { signal: controller.signal } })),
    )
    await settle()
    expect(lane.stats).toMatchObject({ queuedItems: 6, runningBatches: 1 })
    controller.abort()
    expect(await ended).toMatchObject({ code: 'cancelled' })
    expect(lane.stats).toMatchObject({ queuedItems: 0, runningBatches: 1 })
    await runner.finishAll()
    await running
    expect(runner.batches).toEqual([[[1]]])
  })

  test('cancelled while it runs, its rows are dropped and its neighbours answered', async () => {
    const { lane, runner } = openLane({ maxRows: 4 })
    const plug = lane.submit(requestOf([[1]]))
    await settle()
    const controller = new AbortController()
    const ended = outcome(
      lane.submit(requestOf(oneTokenRows(10, 5), { options: { signal: controller.signal } })),
    )
    const neighbour = lane.submit(requestOf([[20]]))
    await settle()
    runner.finish()
    await settle()
    controller.abort()
    expect(await ended).toMatchObject({ code: 'cancelled' })
    await runner.finishAll()
    expect(firstIds(await neighbour)).toEqual([20])
    expect(runner.batches).toEqual([[[1]], [[20], [10], [11], [12]]])
    expect(lane.stats).toEqual(IDLE)
    await plug
  })

  test('cancelled after its answer, nothing changes, and no listener is left', async () => {
    const { lane, runner } = openLane()
    const controller = new AbortController()
    const answer = lane.submit(requestOf([[1]], { options: { signal: controller.signal } }))
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1)
    await runner.finishAll()
    expect(firstIds(await answer)).toEqual([1])
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
    controller.abort()
    expect(lane.stats).toEqual(IDLE)
  })
})

describe('closing', () => {
  test('ends what runs, what waits and what is tokenized, and takes no more', async () => {
    const { lane, runner } = openLane({ maxRows: 2 })
    const requests = [
      lane.submit(requestOf(oneTokenRows(0, 5))),
      lane.submit(requestOf(oneTokenRows(10, 5))),
      lane.submit(requestOf([[20]], { tokenize: () => new Promise(() => {}) })),
    ].map(outcome)
    await settle()
    expect(lane.stats).toMatchObject({ queuedItems: 9, runningBatches: 1 })
    await lane.close()
    const later = outcome(lane.submit(requestOf([[30]])))
    for (const ended of [...requests, later]) expect(await ended).toMatchObject({ code: 'stopping' })
    expect(runner.closeCount).toBe(1)
    runner.die()
    await settle()
    expect(runner.batches).toHaveLength(1)
    expect(lane.stats).toEqual(IDLE)
  })
})
