/** What a lane tells while it works. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { BatchFacts } from '../../../src/base/metrics.ts'
import { firstIds, oneTokenRows, openLane, outcome, requestOf, together } from '../../fakes/lane.ts'
import { joinIds } from '../../fakes/rows.ts'
import { settle } from '../../fakes/runner.ts'

describe('progress', () => {
  function watch() {
    const told: string[] = []
    return { told, onProgress: (done: number, items: number) => void told.push(`${done} of ${items}`) }
  }

  test('is told after every item, up to the last', async () => {
    const { lane, runner } = openLane({ maxRows: 2 })
    const { told, onProgress } = watch()
    const answer = lane.submit(requestOf(oneTokenRows(0, 5), { options: { onProgress } }))
    await settle()
    expect(told).toEqual([])
    runner.finish()
    await settle()
    expect(told).toEqual(['1 of 5', '2 of 5'])
    await runner.finishAll()
    expect(told).toEqual(['1 of 5', '2 of 5', '3 of 5', '4 of 5', '5 of 5'])
    await answer
  })

  test('counts the items of its own request only', async () => {
    const fake = openLane({ maxRows: 4 })
    const [one, other] = [watch(), watch()]
    const answers = await together(fake, () => [
      fake.lane.submit(requestOf(oneTokenRows(0, 2), { options: { onProgress: one.onProgress } })),
      fake.lane.submit(requestOf(oneTokenRows(10, 1), { options: { onProgress: other.onProgress } })),
    ])
    await fake.runner.finishAll()
    await Promise.all(answers)
    expect([one.told, other.told]).toEqual([['1 of 2', '2 of 2'], ['1 of 1']])
  })

  test('is told once for an item that ran again, and not at all for one that failed', async () => {
    const { lane, runner } = openLane({ maxRows: 4 })
    runner.refusedIds.add(2)
    const { told, onProgress } = watch()
    const ended = outcome(lane.submit(requestOf(oneTokenRows(0, 4), { options: { onProgress } })))
    await runner.finishAll()
    expect(await ended).toMatchObject({ code: 'inference_failed' })
    expect(told).toEqual(['1 of 4', '2 of 4'])
  })

  test('ends when the request is cancelled', async () => {
    const { lane, runner } = openLane({ maxRows: 2 })
    const { told, onProgress } = watch()
    const controller = new AbortController()
    const options = { onProgress, signal: controller.signal }
    const ended = outcome(lane.submit(requestOf(oneTokenRows(0, 6), { options })))
    await settle()
    runner.finish()
    await settle()
    controller.abort()
    await ended
    await runner.finishAll()
    expect(told).toEqual(['1 of 6', '2 of 6'])
  })
})

describe('an observer that throws', () => {
  afterEach(() => void vi.unstubAllGlobals())

  test('of progress fails its own request alone, with its own error', async () => {
    const fake = openLane({ maxRows: 8 })
    const onProgress = (done: number) => {
      if (done === 2) throw new Error('the watcher broke')
    }
    const [bad, good] = await together(fake, () => [
      outcome(fake.lane.submit(requestOf(oneTokenRows(10, 3), { options: { onProgress } }))),
      fake.lane.submit(requestOf(oneTokenRows(20, 3))),
    ])
    await fake.runner.finishAll()
    expect(await bad).toMatchObject({ message: 'the watcher broke' })
    expect(firstIds(await good)).toEqual([20, 21, 22])
    expect(fake.runner.batches).toHaveLength(1)
    expect(fake.lane.stats).toMatchObject({ queuedItems: 0, runningBatches: 0 })
  })

  test('of batches, or of duplicates, fails no request', async () => {
    const observe = () => {
      throw new Error('the watcher broke')
    }
    const told: (() => void)[] = []
    vi.stubGlobal('queueMicrotask', (tell: () => void) => told.push(tell))
    const { lane, runner } = openLane({ maxRows: 8, onBatch: observe, onReuse: observe })
    const answer = lane.submit(requestOf([[1], [1], [2]]))
    await runner.finishAll()
    expect(firstIds(await answer)).toEqual([1, 1, 2])
    expect(runner.batches).toHaveLength(1)
    expect(told).toHaveLength(2)
    for (const tell of told) expect(tell).toThrow('the watcher broke')
  })
})

describe('tokens that wait', () => {
  test('are those of rows that are tokenized and in no batch', async () => {
    const { lane, runner } = openLane({ maxRows: 2 })
    const rows = [1, 2, 3, 4, 5].map((length) => Array<number>(length).fill(7))
    const answer = lane.submit(requestOf(rows))
    expect(lane.stats.waitingTokens).toBe(0)
    await settle()
    const inBatch = () => runner.oldestTokens
    expect(lane.stats.waitingTokens).toBe(15 - inBatch())
    runner.finish()
    await settle()
    expect(lane.stats.waitingTokens).toBe(15 - (runner.batches[0] ?? []).flat().length - inBatch())
    await runner.finishAll()
    await answer
    expect(lane.stats.waitingTokens).toBe(0)
  })

  test('are forgotten with a request that is cancelled', async () => {
    const { lane, runner } = openLane()
    const plug = lane.submit(requestOf([[1]]))
    await settle()
    const controller = new AbortController()
    const stays = lane.submit(requestOf([[2, 2, 2]]))
    const ended = outcome(lane.submit(requestOf([[3, 3]], { options: { signal: controller.signal } })))
    await settle()
    expect(lane.stats.waitingTokens).toBe(5)
    controller.abort()
    await ended
    expect(lane.stats.waitingTokens).toBe(3)
    await runner.finishAll()
    await Promise.all([plug, stays])
  })

  test('count again when a batch died with its thread', async () => {
    const { lane, runner } = openLane({ maxRows: 4 })
    const answer = lane.submit(requestOf([[1, 1], [2, 2, 2], [3]]))
    await settle()
    expect(lane.stats.waitingTokens).toBe(0)
    runner.die()
    await settle()
    expect(lane.stats.waitingTokens + runner.oldestTokens).toBe(6)
    await runner.finishAll()
    expect(firstIds(await answer)).toEqual([1, 2, 3])
  })
})

describe('batches', () => {
  const LIMITS = { maxRows: 3, maxTokens: 100, maxPaddedTokens: 300 }

  test('are told when they ran: their rows, their tokens of those possible, and the time', async () => {
    const told: BatchFacts[] = []
    const { lane, runner } = openLane({ limitsOfBatch: LIMITS, onBatch: (batch) => told.push(batch) })
    const answer = lane.submit(requestOf([[1, 1], [2, 2, 2], [3], [4]]))
    await settle()
    expect(told).toEqual([])
    await runner.finishAll()
    await answer
    expect(told.map(({ rows }) => rows)).toEqual([3, 1])
    const tokens = runner.batches.map((batch) => batch.flat().length)
    expect(told.map((batch) => batch.tokens)).toEqual(tokens)
    expect(told.map(({ runMs }) => runMs)).toEqual(tokens)
    expect(told.map(({ maxTokens }) => maxTokens)).toEqual([100, 100])
  })

  test('that failed are not told, their halves that ran are', async () => {
    const told: number[] = []
    const { lane, runner } = openLane({ maxRows: 4, onBatch: ({ rows }) => told.push(rows) })
    runner.refusedIds.add(3)
    const ended = outcome(lane.submit(requestOf(oneTokenRows(0, 4))))
    await runner.finishAll()
    await ended
    expect(told).toEqual([2, 1])
  })

  test('whose requests are gone before they run are none', async () => {
    const told: number[] = []
    const { lane, runner } = openLane({ maxRows: 4, onBatch: ({ rows }) => told.push(rows) })
    const controller = new AbortController()
    const tokenize = async () => {
      controller.abort()
      return joinIds([[1]])
    }
    const options = { signal: controller.signal }
    expect(await outcome(lane.submit(requestOf([[1]], { tokenize, options })))).toMatchObject({
      code: 'cancelled',
    })
    await runner.finishAll()
    expect([told, runner.batches]).toEqual([[], []])
  })
})
