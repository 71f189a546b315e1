/** A device that runs out of memory: batches are halved and stay smaller, and everything is answered. */
import { expect, test } from 'vitest'
import { ServerError } from '../../../src/errors.ts'
import { firstIds, openLane, outcome, requestOf, together } from '../../fakes/lane.ts'
import { settle } from '../../fakes/runner.ts'

const IDLE = { queuedItems: 0, heldRequests: 0, waitingTokens: 0, runningBatches: 0 }

/** `count` rows of `length` tokens, like no others. */
function rowsOf(first: number, count: number, length: number): number[][] {
  return Array.from({ length: count }, (_, index) => [first + index, ...Array<number>(length - 1).fill(7)])
}

function sizes(batches: readonly (readonly unknown[])[]): number[] {
  return batches.map((batch) => batch.length)
}

test('is halved, and every row of every request is answered in order', async () => {
  const fake = openLane({ maxRows: 8 })
  const { lane, runner } = fake
  runner.paddedRoom = 45
  const answers = await together(fake, () => [
    lane.submit(requestOf(rowsOf(100, 4, 10))),
    lane.submit(requestOf(rowsOf(200, 4, 10))),
  ])
  await runner.finishAll()
  expect((await Promise.all(answers)).map((answer) => firstIds(answer))).toEqual([
    [100, 101, 102, 103],
    [200, 201, 202, 203],
  ])
  expect(sizes(runner.batches)).toEqual([8, 4, 4])
  expect(lane.stats).toEqual(IDLE)
})

test('later batches are no larger than the largest half that ran, and it is told once', async () => {
  const told: number[] = []
  const { lane, runner } = openLane({ maxRows: 8, onBudget: (maxTokens) => told.push(maxTokens) })
  expect(lane.maxBatchTokens).toBe(512)
  runner.paddedRoom = 25
  const answer = lane.submit(requestOf(rowsOf(100, 20, 10)))
  await runner.finishAll()
  expect(firstIds(await answer)).toEqual(Array.from({ length: 20 }, (_, index) => 100 + index))
  // Eight rows, then fours, of which the first is tried in twos; from then on two by two.
  expect(sizes(runner.batches)).toEqual([8, 4, 2, 2, 4, 2, 2, 2, 2, 2, 2, 2, 2])
  expect(lane.maxBatchTokens).toBe(20)
  expect(told).toEqual([20])
})

test('the larger of two halves says what fits', async () => {
  const { lane, runner } = openLane({ maxRows: 4 })
  runner.paddedRoom = 45
  const answer = lane.submit(requestOf([...rowsOf(100, 2, 20), ...rowsOf(200, 2, 5)]))
  await runner.finishAll()
  expect(firstIds(await answer)).toEqual([100, 101, 200, 201])
  expect(lane.maxBatchTokens).toBe(40)
})

test('a row that does not fit by itself fails alone, named with its tokens', async () => {
  const fake = openLane({ maxRows: 8 })
  const { lane, runner } = fake
  runner.paddedRoom = 20
  const [bad, good] = await together(fake, () => [
    outcome(lane.submit(requestOf([[1], ...rowsOf(100, 1, 30)]))),
    lane.submit(requestOf(rowsOf(200, 3, 10))),
  ])
  await runner.finishAll()
  expect(await bad).toEqual({
    code: 'out_of_memory',
    message: 'text 1 has 30 tokens, more than the device has memory for, even by itself: no memory',
  })
  expect(firstIds(await good)).toEqual([200, 201, 202])
  expect(lane.stats).toEqual(IDLE)
})

test('a row alone that does not fit leaves batches as large as they were', async () => {
  const { lane, runner } = openLane()
  runner.paddedRoom = 20
  const ended = outcome(lane.submit(requestOf(rowsOf(1, 1, 30))))
  await runner.finishAll()
  expect(await ended).toMatchObject({ code: 'out_of_memory' })
  expect(lane.maxBatchTokens).toBe(512)
})

test('batches formed while halves still run are smaller already', async () => {
  const { lane, runner } = openLane({ depth: 2, maxRows: 4 })
  runner.paddedRoom = 25
  const answer = lane.submit(requestOf(rowsOf(100, 12, 10)))
  await settle()
  expect(sizes(runner.batches)).toEqual([4, 4])
  runner.finish()
  await settle()
  runner.finish()
  await settle()
  // Both are halved; whatever is formed from here on has two rows.
  await runner.finishAll()
  expect(sizes(runner.batches)).toEqual([4, 4, 2, 2, 2, 2, 2, 2])
  expect(firstIds(await answer)).toHaveLength(12)
})

test('a GPU lost while others work has its rows run again by them', async () => {
  const fake = openLane({ maxRows: 8 })
  const { lane, runner } = fake
  const answer = await together(fake, () => [lane.submit(requestOf([[10], [11]]))])
  await settle()
  runner.fail(new ServerError('device_lost', 'cuda:0 is gone'))
  await runner.finishAll()
  expect(sizes(runner.batches)).toEqual([2, 1, 1])
  expect((await Promise.all(answer)).map((result) => firstIds(result))).toEqual([[10, 11]])
})

test('a row whose GPU is lost twice is given no third one, and is not said to have ended a thread', async () => {
  const { lane, runner } = openLane({ maxRows: 8 })
  const ended = outcome(lane.submit(requestOf([[10]])))
  const later = lane.submit(requestOf([[20]]))
  await settle()
  for (const gpu of [0, 1]) {
    runner.fail(new ServerError('device_lost', `cuda:${gpu} is gone`))
    await settle()
  }
  expect(await ended).toEqual({
    code: 'device_lost',
    message: 'text 0 was under way on 2 GPUs when they were lost and is not tried again: cuda:1 is gone',
  })
  await runner.finishAll()
  expect(firstIds(await later)).toEqual([20])
  expect(lane.stats).toEqual(IDLE)
})

test('a GPU that is lost and a thread that dies are no two of a kind: the row runs once more', async () => {
  const { lane, runner } = openLane({ maxRows: 8 })
  const answer = lane.submit(requestOf([[10]]))
  await settle()
  runner.fail(new ServerError('device_lost', 'cuda:0 is gone'))
  await settle()
  runner.die()
  await runner.finishAll()
  expect(firstIds(await answer)).toEqual([10])
  expect(sizes(runner.batches)).toEqual([1, 1, 1])
})

test('the last GPU lost fails what it was to run, and blames no text', async () => {
  const fake = openLane({ maxRows: 8 })
  const { lane, runner } = fake
  const ended = await together(fake, () => [outcome(lane.submit(requestOf([[10], [11]])))])
  await settle()
  runner.healthy = false
  runner.fail(new ServerError('device_lost', 'cuda:0 is gone'))
  await settle()
  expect(await Promise.all(ended)).toEqual([{ code: 'device_lost', message: 'cuda:0 is gone' }])
  expect(lane.stats).toEqual(IDLE)
})
