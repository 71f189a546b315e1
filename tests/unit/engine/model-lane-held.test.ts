/** Requests that wait for room instead of being refused. */
import { getEventListeners } from 'node:events'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LaneResult } from '../../../src/engine/model-lane.ts'
import type { FakeLane } from '../../fakes/lane.ts'
import { firstIds, oneTokenRows, openLane, outcome, requestOf } from '../../fakes/lane.ts'
import { joinIds } from '../../fakes/rows.ts'
import { settle } from '../../fakes/runner.ts'

const IDLE = { queuedItems: 0, heldRequests: 0, waitingTokens: 0, runningBatches: 0 }
const CANCELLED = { code: 'cancelled', message: 'the request was cancelled' }

function submitWaiting(
  { lane }: FakeLane,
  [first, count]: readonly [first: number, count: number],
  signal?: AbortSignal,
): Promise<LaneResult> {
  return lane.submit(requestOf(oneTokenRows(first, count), { options: { whenFull: 'wait', signal } }))
}

/** A lane of ten whose device holds a batch of two and whose queue is full. */
async function openFull() {
  const fake = openLane({ queueSize: 10, maxRows: 2 })
  const running = submitWaiting(fake, [0, 2])
  await settle()
  const queued = submitWaiting(fake, [100, 10])
  await settle()
  expect(fake.lane.stats).toMatchObject({ queuedItems: 10, heldRequests: 0, runningBatches: 1 })
  return { ...fake, fake, before: Promise.all([running, queued]) }
}

describe('a request that finds the queue full', () => {
  test('waits untokenized, runs when there is room, and is answered like any other', async () => {
    const { lane, runner, before } = await openFull()
    let tokenized = 0
    const rows = oneTokenRows(200, 3)
    const tokenize = async (from: number, to: number) => {
      tokenized++
      return joinIds(rows.slice(from, to))
    }
    const held = lane.submit(requestOf(rows, { tokenize, options: { whenFull: 'wait' } }))
    await settle()
    expect(lane.stats).toMatchObject({ queuedItems: 10, heldRequests: 1 })
    runner.finish()
    await settle()
    expect([lane.stats.heldRequests, tokenized]).toEqual([1, 0])
    runner.finish()
    await settle()
    expect(lane.stats).toMatchObject({ queuedItems: 9, heldRequests: 0 })
    expect(tokenized).toBe(1)
    await runner.finishAll()
    expect(firstIds(await held)).toEqual([200, 201, 202])
    await before
    expect(lane.stats).toEqual(IDLE)
  })

  test('is refused where it did not ask to wait, and where it comes behind one that does', async () => {
    const { fake, lane, runner, before } = await openFull()
    const refused = { code: 'overloaded' }
    expect(await outcome(lane.submit(requestOf([[1]])))).toMatchObject(refused)
    const held = submitWaiting(fake, [200, 10])
    runner.finish()
    await settle()
    expect(lane.stats).toMatchObject({ queuedItems: 8, heldRequests: 1 })
    expect(await outcome(lane.submit(requestOf([[1]])))).toMatchObject(refused)
    await runner.finishAll()
    await Promise.all([held, before])
  })

  test('is let in in its turn, and a smaller newcomer does not overtake it', async () => {
    const { lane, runner, before } = await openFull()
    const letIn: number[] = []
    const all = (
      [
        [200, 9],
        [300, 1],
        [400, 1],
      ] as const
    ).map(([first, count]) => {
      const rows = oneTokenRows(first, count)
      const tokenize = async (from: number, to: number) => {
        letIn.push(first)
        return joinIds(rows.slice(from, to))
      }
      return lane.submit(requestOf(rows, { tokenize, options: { whenFull: 'wait' } }))
    })
    await runner.finishAll()
    await Promise.all([...all, before])
    expect(letIn).toEqual([200, 300, 400])
  })

  test('is too large for ever where the queue could never hold it', async () => {
    const { fake, runner, before } = await openFull()
    expect(await outcome(submitWaiting(fake, [200, 11]))).toMatchObject({ code: 'request_too_large' })
    await runner.finishAll()
    await before
  })
})

describe('cancelled', () => {
  test('while it is held, it ends at once and lets the next one in', async () => {
    const { fake, lane, runner, before } = await openFull()
    const controller = new AbortController()
    const cancelled = outcome(submitWaiting(fake, [200, 10], controller.signal))
    const behind = submitWaiting(fake, [300, 2])
    runner.finish()
    await settle()
    expect(lane.stats).toMatchObject({ queuedItems: 8, heldRequests: 2 })
    controller.abort()
    expect(await cancelled).toEqual(CANCELLED)
    expect(lane.stats).toMatchObject({ queuedItems: 10, heldRequests: 0 })
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
    await runner.finishAll()
    expect(firstIds(await behind)).toEqual([300, 301])
    await before
    expect(runner.batches.flat(2)).not.toContain(200)
    expect(lane.stats).toEqual(IDLE)
  })

  /** Room is made by a microtask, and what follows takes some more: none of them may miss what happens meanwhile. */
  const microtasks = Array.from({ length: 16 }, (_, count) => count)

  test.each(microtasks)('%i microtasks after there was room for it, it is cancelled', async (count) => {
    const { fake, lane, runner, before } = await openFull()
    const controller = new AbortController()
    const ended = outcome(submitWaiting(fake, [200, 2], controller.signal))
    await settle()
    runner.finish()
    for (let tick = 0; tick < count; tick++) await Promise.resolve()
    controller.abort()
    expect(await ended).toEqual(CANCELLED)
    await runner.finishAll()
    await before
    expect(runner.batches.flat(2)).not.toContain(200)
    expect(lane.stats).toEqual(IDLE)
  })

  test.each(microtasks)('%i microtasks after there was room, closing ends it', async (count) => {
    const { fake, lane, runner, before } = await openFull()
    const ended = outcome(submitWaiting(fake, [200, 2]))
    const others = outcome(before)
    await settle()
    runner.finish()
    for (let tick = 0; tick < count; tick++) await Promise.resolve()
    await lane.close()
    expect(await ended).toMatchObject({ code: 'stopping' })
    await others
    expect(runner.batches.flat(2)).not.toContain(200)
    expect(lane.stats).toMatchObject({ queuedItems: 0, heldRequests: 0, waitingTokens: 0 })
  })
})

test('closing ends those held, none of which reaches the device', async () => {
  const { fake, lane, runner, before } = await openFull()
  const all = [submitWaiting(fake, [200, 2]), submitWaiting(fake, [300, 1])].map(outcome)
  const others = outcome(before)
  await settle()
  await lane.close()
  for (const ended of all) expect(await ended).toMatchObject({ code: 'stopping' })
  expect(await others).toMatchObject({ code: 'stopping' })
  runner.die()
  await settle()
  expect(runner.batches).toHaveLength(1)
  expect(lane.stats).toEqual(IDLE)
})

test('whatever comes and goes, the queue holds no more than its size, and each is answered or was told why not', async () => {
  const plan = fc.array(
    fc.record({
      count: fc.integer({ min: 1, max: 12 }),
      whenFull: fc.constantFrom('refuse' as const, 'wait' as const),
      abortAfter: fc.option(fc.nat(6), { nil: undefined }),
      batches: fc.nat(2),
    }),
    { minLength: 1, maxLength: 20 },
  )
  await fc.assert(
    fc.asyncProperty(plan, fc.integer({ min: 1, max: 10 }), async (plan, queueSize) => {
      const { lane, runner } = openLane({ queueSize, maxRows: 3 })
      const answers = []
      for (const [k, { count, whenFull, abortAfter, batches }] of plan.entries()) {
        const controller = new AbortController()
        const options = { whenFull, signal: controller.signal }
        const rows = oneTokenRows(1000 * k, count)
        answers.push(outcome(lane.submit(requestOf(rows, { options }))))
        for (let time = 0; time < batches; time++) {
          if (runner.heldCount > 0) runner.finish()
          for (let tick = 0; tick < (abortAfter ?? 0); tick++) await Promise.resolve()
          if (abortAfter !== undefined) controller.abort()
          await settle()
          expect(lane.stats.queuedItems).toBeLessThanOrEqual(queueSize)
        }
      }
      await runner.finishAll()
      for (const [k, answer] of (await Promise.all(answers)).entries()) {
        const { count = 0, whenFull, abortAfter } = plan[k] ?? {}
        if ('rows' in answer) expect(firstIds(answer)).toEqual(oneTokenRows(1000 * k, count).flat())
        else if (count > queueSize) expect(answer.code).toBe('request_too_large')
        else if (answer.code === 'overloaded') expect(whenFull).toBe('refuse')
        else expect([answer.code, abortAfter !== undefined]).toEqual(['cancelled', true])
      }
      expect(lane.stats).toEqual(IDLE)
    }),
    { numRuns: 100 },
  )
})
