/** What a lane says that the time of a request went to. */
import { expect, test } from 'vitest'
import { openLane, outcome, requestOf } from '../../fakes/lane.ts'
import { joinIds } from '../../fakes/rows.ts'
import { settle } from '../../fakes/runner.ts'

test('tokenizing takes as long as its request waits for it, chunk by chunk', async () => {
  const { lane, runner, clock } = openLane({ maxRows: 128 })
  const rows = Array.from({ length: 100 }, (_, index) => [index])
  const tokenize = async (from: number, to: number) => {
    clock.ms += from === 0 ? 5 : 7
    return joinIds(rows.slice(from, to))
  }
  const answer = lane.submit(requestOf(rows, { tokenize, tokenizeFirst: true }))
  await runner.finishAll()
  expect((await answer).timing).toEqual({ tokenizeMs: 12, queueMs: 0, runMs: 100 })
})

test('rows queue while none of their request runs', async () => {
  const { lane, runner, clock } = openLane({ maxRows: 1 })
  const plug = lane.submit(requestOf([[1]]))
  await settle()
  const answer = lane.submit(requestOf([[2], [3]]))
  const other = lane.submit(requestOf([[4]]))
  await settle()
  clock.ms += 10
  runner.finish() // [1] is done; [4] runs
  await settle()
  clock.ms += 20
  runner.finish() // [4] is done; [2] runs
  await settle()
  clock.ms += 40
  runner.finish() // [2] is done; [3] runs
  await settle()
  clock.ms += 80
  await runner.finishAll()
  expect((await plug).timing.queueMs).toBe(0)
  expect((await answer).timing).toEqual({ tokenizeMs: 0, queueMs: 30, runMs: 2 })
  expect((await other).timing.queueMs).toBe(10)
})

test('rows that ran do not queue while later ones of their request are tokenized', async () => {
  const { lane, runner, clock } = openLane({ maxRows: 64 })
  const rows = Array.from({ length: 100 }, (_, index) => [index])
  const tokenize = async (from: number, to: number) => {
    if (from === 0) return joinIds(rows.slice(from, to))
    await settle()
    runner.finish()
    await settle()
    clock.ms += 10
    return joinIds(rows.slice(from, to))
  }
  const answer = lane.submit(requestOf(rows, { tokenize }))
  for (let turn = 0; turn < 3; turn++) await settle()
  await runner.finishAll()
  expect((await answer).timing).toEqual({ tokenizeMs: 10, queueMs: 0, runMs: 100 })
})

test('a row that joins one that runs does not queue, and its run is that one', async () => {
  const { lane, runner, clock } = openLane()
  const first = lane.submit(requestOf([[1, 1, 1]]))
  await settle()
  const second = lane.submit(requestOf([[1, 1, 1], [2]]))
  await settle()
  clock.ms += 10
  runner.finish()
  await settle()
  clock.ms += 20
  await runner.finishAll()
  expect((await first).timing).toEqual({ tokenizeMs: 0, queueMs: 0, runMs: 3 })
  expect((await second).timing).toEqual({ tokenizeMs: 0, queueMs: 0, runMs: 4 })
})

test('rows behind one that may end the thread again queue until that is settled', async () => {
  const { lane, runner, clock } = openLane()
  const first = lane.submit(requestOf([[1]]))
  const second = outcome(lane.submit(requestOf([[2]])))
  await settle()
  runner.finish()
  await settle()
  const third = lane.submit(requestOf([[3]]))
  await settle()
  clock.ms += 10
  runner.die() // [2], with [3] behind it
  await settle()
  const fourth = lane.submit(requestOf([[4]]))
  await settle()
  clock.ms += 20
  runner.die() // [2] again
  await settle()
  clock.ms += 40
  await runner.finishAll()
  expect(await second).toMatchObject({ code: 'poisoned_input' })
  expect((await first).timing.queueMs).toBe(0)
  expect((await third).timing.queueMs).toBe(30)
  expect((await fourth).timing.queueMs).toBe(20)
})

test('rows that wait behind another to run by themselves queue, and so do those that join them', async () => {
  const { lane, runner, clock } = openLane()
  const first = lane.submit(requestOf([[1]]))
  await settle()
  const rows = [lane.submit(requestOf([[2]])), lane.submit(requestOf([[3]]))]
  runner.finish()
  await first
  await settle()
  runner.die()
  await settle()
  const late = lane.submit(requestOf([[3]]))
  await settle()
  clock.ms += 10
  runner.finish() // [2]
  await settle()
  clock.ms += 20
  await runner.finishAll()
  expect((await Promise.all(rows)).map(({ timing }) => timing.queueMs)).toEqual([0, 10])
  expect((await late).timing.queueMs).toBe(10)
})

test('cut items are counted over all chunks', async () => {
  const { lane, runner } = openLane()
  const rows = Array.from({ length: 100 }, (_, index) => [index])
  const tokenize = async (from: number, to: number) => ({
    ...joinIds(rows.slice(from, to)),
    truncatedRows: from === 0 ? 3 : 4,
  })
  const answer = lane.submit(requestOf(rows, { tokenize }))
  await runner.finishAll()
  expect((await answer).truncatedItems).toBe(7)
})
