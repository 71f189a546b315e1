/** What a lane takes in, and what it lets go. */
import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { firstIds, oneTokenRows, openLane, outcome, requestOf } from '../../fakes/lane.ts'
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
      message: 'the queue of fake-model holds 4 items; 7 more would pass its limit of 10',
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
    { batchMs: 8_000, retryAfterMs: 20_000, about: 'the time that the queue takes' },
    { batchMs: 80_000, retryAfterMs: 60_000, about: 'at most a minute' },
  ])('an overload says when to come back: $about', async ({ batchMs, retryAfterMs }) => {
    const { lane, runner, clock } = openLane({ queueSize: 10, maxRows: 4 })
    const measured = lane.submit(requestOf(oneTokenRows(0, 4)))
    await settle()
    clock.ms += batchMs
    runner.finish()
    await measured
    const running = lane.submit(requestOf(oneTokenRows(0, 4)))
    await settle()
    const waiting = lane.submit(requestOf(oneTokenRows(10, 10)))
    await expect(lane.submit(requestOf([[1]]))).rejects.toMatchObject({ code: 'overloaded', retryAfterMs })
    await runner.finishAll()
    await Promise.all([running, waiting])
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
    expect(runner.batches).toEqual([[[1]], [[10], [20], [11], [12]]])
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
