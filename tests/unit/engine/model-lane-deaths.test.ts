/** A device whose thread dies: rows run again alone, and only what kills it twice is given up. */
import { expect, test } from 'vitest'
import { ServerError } from '../../../src/errors.ts'
import { firstIds, oneTokenRows, openLane, outcome, requestOf, together } from '../../fakes/lane.ts'
import { settle } from '../../fakes/runner.ts'

const IDLE = { queuedItems: 0, heldRequests: 0, waitingTokens: 0, runningBatches: 0 }

function sizes(batches: readonly (readonly unknown[])[]): number[] {
  return batches.map((batch) => batch.length)
}

test('its rows run again, once and one by one, and all are answered', async () => {
  const fake = openLane({ maxRows: 8 })
  const { lane, runner } = fake
  const answers = await together(fake, () => [
    lane.submit(requestOf([[10], [11]])),
    lane.submit(requestOf([[20], [21]])),
  ])
  await settle()
  runner.die()
  await settle()
  expect(lane.stats).toMatchObject({ queuedItems: 3, runningBatches: 1 })
  await runner.finishAll()
  expect(sizes(runner.batches)).toEqual([4, 1, 1, 1, 1])
  expect((await Promise.all(answers)).map((answer) => firstIds(answer))).toEqual([
    [10, 11],
    [20, 21],
  ])
  expect(lane.stats).toEqual(IDLE)
})

test('only the item that kills it twice fails, and is not tried a third time', async () => {
  const fake = openLane({ maxRows: 8 })
  const { lane, runner } = fake
  runner.lethalIds.add(11)
  const [bad, good] = await together(fake, () => [
    outcome(lane.submit(requestOf([[10], [11], [12]]))),
    lane.submit(requestOf([[20], [21], [22]])),
  ])
  await runner.finishAll()
  expect(await bad).toEqual({
    code: 'poisoned_input',
    message: 'text 1 ended the inference thread 2 times and is not tried again',
  })
  expect(firstIds(await good)).toEqual([20, 21, 22])
  expect(runner.batches.filter((batch) => batch.flat().includes(11))).toHaveLength(2)
  expect(lane.stats).toEqual(IDLE)
})

test('rows of a request cancelled meanwhile are not run again', async () => {
  const { lane, runner } = openLane({ maxRows: 4 })
  const controller = new AbortController()
  const ended = outcome(
    lane.submit(requestOf(oneTokenRows(0, 3), { options: { signal: controller.signal } })),
  )
  await settle()
  controller.abort()
  expect(await ended).toMatchObject({ code: 'cancelled' })
  runner.die()
  await runner.finishAll()
  expect(sizes(runner.batches)).toEqual([3])
  expect(lane.stats).toEqual(IDLE)
})

test('what waited behind the dead batch is answered after it', async () => {
  const { lane, runner } = openLane({ maxRows: 2 })
  runner.lethalIds.add(0)
  const bad = outcome(lane.submit(requestOf([[0]])))
  const good = lane.submit(requestOf([[5], [6], [7]]))
  await runner.finishAll()
  expect(await bad).toMatchObject({ code: 'poisoned_input' })
  expect(firstIds(await good)).toEqual([5, 6, 7])
  expect(lane.stats).toEqual(IDLE)
})

test('rows that may kill it run while nothing else does, on a device that holds two batches', async () => {
  const { lane, runner } = openLane({ depth: 2, maxRows: 2 })
  runner.lethalIds.add(11)
  const bad = outcome(lane.submit(requestOf([[10], [11]])))
  const good = lane.submit(requestOf(oneTokenRows(20, 6)))
  await settle()
  const underWay: string[] = []
  while (runner.heldCount > 0) {
    underWay.push(JSON.stringify(runner.batches.slice(-runner.heldCount)))
    runner.finish()
    await settle()
  }
  expect(await bad).toMatchObject({ code: 'poisoned_input', message: expect.stringMatching(/^text 1 /) })
  expect(firstIds(await good)).toEqual([20, 21, 22, 23, 24, 25])
  expect(underWay).toEqual([
    '[[[10],[11]],[[20],[21]]]',
    '[[[10]]]',
    '[[[11]]]',
    '[[[20]]]',
    '[[[21]]]',
    '[[[22],[23]],[[24],[25]]]',
    '[[[24],[25]]]',
  ])
  expect(lane.stats).toEqual(IDLE)
})

test('a thread that cannot be brought back fails what it was to run, and blames no text', async () => {
  const fake = openLane({ maxRows: 8 })
  const { lane, runner } = fake
  const ended = await together(fake, () => [
    outcome(lane.submit(requestOf([[10]]))),
    outcome(lane.submit(requestOf([[20]]))),
  ])
  await settle()
  runner.fail(new ServerError('revival_failed', 'no memory'))
  const expected = { code: 'revival_failed', message: 'no memory' }
  expect(await Promise.all(ended)).toEqual([expected, expected])
  const later = lane.submit(requestOf([[30]]))
  await runner.finishAll()
  expect(firstIds(await later)).toEqual([30])
  expect(lane.stats).toEqual(IDLE)
})
