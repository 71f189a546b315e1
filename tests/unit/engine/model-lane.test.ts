import { describe, expect, test } from 'vitest'
import type { TokenizedRows } from '../../../src/tokenize/tokenizer.ts'
import { firstIds, oneTokenRows, openLane, requestOf } from '../../fakes/lane.ts'
import { joinIds } from '../../fakes/rows.ts'
import { settle } from '../../fakes/runner.ts'

const IDLE = { queuedItems: 0, heldRequests: 0, waitingTokens: 0, runningBatches: 0 }

describe('answers', () => {
  test('results land in the order of the items, whatever order they ran in', async () => {
    const { lane, runner } = openLane({ maxRows: 2 })
    const lengths = [9, 1, 8, 2, 7, 3]
    const rows = lengths.map((length, index) => Array.from({ length }, () => 100 + index))
    const answer = lane.submit(requestOf(rows))
    await runner.finishAll()
    expect(runner.batches.flat().map((ids) => ids.length)).not.toEqual(lengths)
    const { rows: values, textTokens } = await answer
    expect([...values]).toEqual(rows.flatMap((ids) => [ids[0], ids.length, ids[0]]))
    expect(textTokens).toBe(30)
  })

  test('a row reaches the device with its own ids, type start, unpooled tokens and adapter', async () => {
    const { lane, runner } = openLane()
    const seen: unknown[] = []
    const run = runner.run
    Object.assign(runner, {
      run: (batch: Parameters<typeof run>[0]) => {
        const { ids, bounds, typeStarts, unpooledTokens, adapters } = batch
        seen.push([ids, bounds, typeStarts, unpooledTokens, adapters].map((array) => [...array]))
        return run(batch)
      },
    })
    const tokenized: TokenizedRows = {
      ...joinIds([
        [5, 6, 7],
        [8, 9],
      ]),
      typeStarts: Int32Array.of(2, 1),
      unpooledTokens: Int32Array.of(1, 0),
    }
    const answer = lane.submit(requestOf([[], []], { tokenize: async () => tokenized, adapter: 2 }))
    await runner.finishAll()
    await answer
    expect(seen).toEqual([
      [
        [5, 6, 7, 8, 9],
        [0, 3, 5],
        [2, 1],
        [1, 0],
        [2, 2],
      ],
    ])
  })

  test('run time is that of the batches that held the request', async () => {
    const { lane, runner } = openLane({ maxRows: 2 })
    const first = lane.submit(requestOf([[1], [2], [3]]))
    const second = lane.submit(requestOf([[4, 4, 4, 4]]))
    await runner.finishAll()
    expect(runner.batches).toEqual([
      [[1], [2]],
      [[3], [4, 4, 4, 4]],
    ])
    expect((await first).timing.runMs).toBe(7)
    expect((await second).timing.runMs).toBe(5)
  })
})

describe('tokenizing', () => {
  test('a long request is tokenized in chunks, and its first batch runs before the last chunk is asked for', async () => {
    const { lane, runner } = openLane({ maxRows: 32 })
    const rows = oneTokenRows(0, 150)
    const ranges: string[] = []
    const tokenize = async (from: number, to: number) => {
      ranges.push(`${from}–${to}, ${runner.batches.length} batches before`)
      return joinIds(rows.slice(from, to))
    }
    const answer = lane.submit(requestOf(rows, { tokenize }))
    await runner.finishAll()
    expect(firstIds(await answer)).toEqual(rows.flat())
    expect(ranges).toEqual([
      '0–64, 0 batches before',
      '64–128, 1 batches before',
      '128–150, 1 batches before',
    ])
    expect((await answer).textTokens).toBe(150)
  })

  test('takes fewer items at a time where they are long', async () => {
    const { lane, runner } = openLane()
    const rows = oneTokenRows(0, 5)
    const ranges: string[] = []
    const tokenize = async (from: number, to: number) => {
      ranges.push(`${from}–${to}`)
      return joinIds(rows.slice(from, to))
    }
    const sizes = [200_000, 200_000, 10, 10, 1_000_000]
    const answer = lane.submit(requestOf(rows, { tokenize, sizes }))
    await runner.finishAll()
    expect(firstIds(await answer)).toEqual([0, 1, 2, 3, 4])
    expect(ranges).toEqual(['0–1', '1–4', '4–5'])
  })

  test('does not run far ahead of the device', async () => {
    const { lane, runner } = openLane({ queueSize: 10_000, maxRows: 32 })
    const rows = oneTokenRows(0, 5000)
    let tokenized = 0
    const tokenize = async (from: number, to: number) => {
      tokenized = to
      return joinIds(rows.slice(from, to))
    }
    const answer = lane.submit(requestOf(rows, { tokenize }))
    await settle()
    expect(tokenized).toBeGreaterThan(32)
    expect(tokenized).toBeLessThan(800)
    expect(lane.stats.queuedItems).toBe(5000 - 32)
    runner.finish()
    await settle()
    expect(tokenized).toBeLessThan(800)
    await runner.finishAll()
    expect(firstIds(await answer)).toEqual(rows.flat())
  })

  test('comes before everything else where a later item may still be refused', async () => {
    const { lane, runner } = openLane({ maxRows: 32 })
    const rows = oneTokenRows(0, 150)
    const batchesBefore: number[] = []
    const tokenize = async (from: number, to: number) => {
      batchesBefore.push(runner.batches.length)
      return joinIds(rows.slice(from, to))
    }
    const answer = lane.submit(requestOf(rows, { tokenize, tokenizeFirst: true }))
    await runner.finishAll()
    expect(firstIds(await answer)).toEqual(rows.flat())
    expect(batchesBefore).toEqual([0, 0, 0])
  })
})

describe('batches under way', () => {
  test.each([1, 2, 3])('a device of depth %i holds as many batches, and no more', async (depth) => {
    const { lane, runner } = openLane({ depth, maxRows: 1 })
    const answer = lane.submit(requestOf(oneTokenRows(0, 5)))
    await settle()
    expect(runner.heldCount).toBe(depth)
    expect(lane.stats).toMatchObject({ queuedItems: 5 - depth, runningBatches: depth })
    runner.finish()
    await settle()
    expect(runner.heldCount).toBe(depth)
    await runner.finishAll()
    expect(firstIds(await answer)).toEqual([0, 1, 2, 3, 4])
    expect(lane.stats).toEqual(IDLE)
  })

  test('a batch leaves as soon as the device is free, without waiting for company', async () => {
    const { lane, runner } = openLane({ maxRows: 4 })
    const answers = [
      lane.submit(requestOf([[1]])),
      lane.submit(requestOf([[2]])),
      lane.submit(requestOf([[3]])),
    ]
    await runner.finishAll()
    expect(runner.batches).toEqual([[[1]], [[2], [3]]])
    await Promise.all(answers)
  })
})
