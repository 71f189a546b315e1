/** Results of the past, given again. */
import { expect, test } from 'vitest'
import { ResultCache } from '../../../src/engine/result-cache.ts'
import { firstIds, oneTokenRows, openLane, outcome, requestOf } from '../../fakes/lane.ts'
import { joinIds } from '../../fakes/rows.ts'
import { settle } from '../../fakes/runner.ts'

const IDLE = { queuedItems: 0, heldRequests: 0, waitingTokens: 0, runningBatches: 0 }

function open(options: Parameters<typeof openLane>[0] = {}) {
  const reused: string[] = []
  const cache = new ResultCache({ maxBytes: 1_000_000 })
  const onReuse = (count: number, source: string) => void reused.push(`${count} ${source}`)
  return { ...openLane({ cache, onReuse, ...options }), cache, reused }
}

test('a row that ran before is answered at once, and without the device', async () => {
  const { lane, runner, reused, cache } = open()
  const first = lane.submit(requestOf([[1, 2], [3]]))
  await runner.finishAll()
  await first
  expect(cache.stats.entries).toBe(2)
  const again = await lane.submit(requestOf([[3], [1, 2]]))
  expect([...again.rows]).toEqual([3, 1, 3, 1, 2, 2])
  expect(again.textTokens).toBe(3)
  expect(again.timing.runMs).toBe(0)
  expect(runner.batches).toHaveLength(1)
  expect(reused).toEqual(['2 cache'])
  expect(lane.stats).toEqual(IDLE)
})

test('without a cache every row that comes later runs', async () => {
  const { lane, runner } = openLane()
  for (let time = 0; time < 2; time++) {
    const answer = lane.submit(requestOf([[1]]))
    await runner.finishAll()
    await answer
  }
  expect(runner.batches).toEqual([[[1]], [[1]]])
})

test('rows that are known go ahead of those that are not, and leave the queue', async () => {
  const { lane, runner } = open({ maxRows: 4 })
  const first = lane.submit(requestOf(oneTokenRows(0, 3)))
  await runner.finishAll()
  await first
  const plug = lane.submit(requestOf([[99]]))
  await settle()
  const told: string[] = []
  const onProgress = (done: number, items: number) => void told.push(`${done} of ${items}`)
  const answer = lane.submit(requestOf([[0], [7], [2]], { options: { onProgress } }))
  await settle()
  expect(told).toEqual(['1 of 3', '2 of 3'])
  expect(lane.stats.queuedItems).toBe(1)
  await runner.finishAll()
  expect(firstIds(await answer)).toEqual([0, 7, 2])
  expect(runner.batches.slice(1)).toEqual([[[99]], [[7]]])
  await plug
  expect(lane.stats).toEqual(IDLE)
})

test('nothing is given before every item is tokenized, where a later one may still be refused', async () => {
  const { lane, runner } = open({ maxRows: 64 })
  const rows = oneTokenRows(0, 100)
  const first = lane.submit(requestOf(rows.slice(0, 64)))
  await runner.finishAll()
  await first
  let told = 0
  const tokenize = async (from: number, to: number) => {
    if (from >= 64) throw new Error('refused')
    return joinIds(rows.slice(from, to))
  }
  const options = { onProgress: () => void told++ }
  const ended = await outcome(lane.submit(requestOf(rows, { tokenize, tokenizeFirst: true, options })))
  expect(ended).toMatchObject({ message: 'refused' })
  expect(told).toBe(0)
  expect(lane.stats).toEqual(IDLE)
})

test('token vectors are neither kept nor given', async () => {
  const { lane, runner, cache, reused } = open()
  const plain = lane.submit(requestOf([[1]]))
  await runner.finishAll()
  await plain
  for (let time = 0; time < 2; time++) {
    const full = lane.submit(requestOf([[1]], { wantsTokens: true }))
    await runner.finishAll()
    expect((await full).tokens).toEqual([Float32Array.of(1, 0)])
  }
  expect(runner.batches).toHaveLength(3)
  expect(cache.stats.entries).toBe(1)
  expect(reused).toEqual([])
})

test('a result that is not finite is not kept', async () => {
  const { lane, runner, cache } = open()
  runner.nonFiniteIds.add(1)
  const ended = outcome(lane.submit(requestOf([[1]])))
  await runner.finishAll()
  expect(await ended).toMatchObject({ code: 'non_finite_output' })
  expect(cache.stats.entries).toBe(0)
})

test('lanes that share a cache do not give each other results', async () => {
  const cache = new ResultCache({ maxBytes: 1_000_000 })
  const one = openLane({ cache })
  const other = openLane({ cache, name: 'other-model', compute: () => [7, 7, 7] })
  const first = one.lane.submit(requestOf([[1]]))
  await one.runner.finishAll()
  await first
  const second = other.lane.submit(requestOf([[1]]))
  await other.runner.finishAll()
  expect([...(await second).rows]).toEqual([7, 7, 7])
})
