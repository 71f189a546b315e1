import { expect, test } from 'vitest'
import { ServerError } from '../../../src/errors.ts'
import { balance } from '../../../src/runtime/balance.ts'
import { NO_ADAPTER, joinRows } from '../../../src/runtime/runner.ts'
import { FakeRunner, settle } from '../../fakes/runner.ts'

function open(count: number, depth = 2) {
  const runners = Array.from({ length: count }, () => new FakeRunner({ depth }))
  return { runners, runner: balance(runners as unknown as [FakeRunner, ...FakeRunner[]]) }
}

function batchOf(id: number, length = 1) {
  const ids = new Int32Array(length).fill(id)
  const row = { ids, typeStart: length, unpooledTokens: 0, adapter: NO_ADAPTER, wantsTokens: false }
  return joinRows([row])
}

/** Batches that each has had, by the first id. */
function given(runners: readonly FakeRunner[]): unknown[] {
  return runners.map(({ batches }) => batches.map(([row]) => row?.[0]))
}

test('one runner stands for itself', () => {
  const { runner, runners } = open(1)
  expect(runner).toBe(runners[0])
})

test('what it says of itself is the sum, the least, or the same', () => {
  const small = Object.assign(new FakeRunner({ depth: 1 }), { batchTokens: 100 })
  const large = Object.assign(new FakeRunner({ depth: 2 }), { batchTokens: 900 })
  const runner = balance([large, small])
  expect(runner).toMatchObject({ depth: 3, batchTokens: 100, provider: 'fake', dtype: 'fp32', healthy: true })
  expect(runner.limits).toEqual(small.limits)
})

test('a batch goes to whoever has the fewest tokens under way, the first of equals', async () => {
  const { runner, runners } = open(3)
  void runner.run(batchOf(1, 50))
  void runner.run(batchOf(2, 10))
  void runner.run(batchOf(3, 20))
  void runner.run(batchOf(4, 30))
  void runner.run(batchOf(5, 5))
  await settle()
  // Tokens: 50, 10 + 30, 20 + 5.
  expect(given(runners)).toEqual([[1], [2, 4], [3, 5]])
})

test('tokens that are done count no more, and each gets its own answer', async () => {
  const { runner, runners } = open(2)
  const first = runner.run(batchOf(1, 50))
  const second = runner.run(batchOf(2, 10))
  await settle()
  runners[0]?.finish()
  expect((await first).rows).toEqual(Float32Array.of(1, 50, 1))
  void runner.run(batchOf(3, 5))
  await settle()
  expect(given(runners)).toEqual([[1, 3], [2]])
  runners[1]?.finish()
  expect((await second).rows).toEqual(Float32Array.of(2, 10, 2))
})

test('a runner that does not answer gets no more than it can hold, and the others get the rest', async () => {
  const { runner, runners } = open(2, 1)
  void runner.run(batchOf(1, 5))
  const answers = [2, 3, 4].map((id) => runner.run(batchOf(id, 50)))
  await settle()
  expect(given(runners)).toEqual([[1], [2]])
  await runners[1]?.finishAll()
  expect((await Promise.all(answers)).map(({ rows }) => rows[0])).toEqual([2, 3, 4])
  expect(given(runners)).toEqual([[1], [2, 3, 4]])
})

test('one that is not healthy gets nothing, and its depth does not count', async () => {
  const { runner, runners } = open(2)
  Object.assign(runners[0] as FakeRunner, { healthy: false })
  expect(runner).toMatchObject({ depth: 2, healthy: true })
  void runner.run(batchOf(1))
  void runner.run(batchOf(2))
  await settle()
  expect(given(runners)).toEqual([[], [1, 2]])
})

test('where none is healthy all are asked, for one may come back', async () => {
  const { runner, runners } = open(2)
  for (const each of runners) each.healthy = false
  expect(runner).toMatchObject({ depth: 4, healthy: false })
  void runner.run(batchOf(1))
  void runner.run(batchOf(2))
  await settle()
  expect(given(runners)).toEqual([[1], [2]])
})

test('a batch whose thread died is rejected, and its runner is free again', async () => {
  const { runner, runners } = open(2, 1)
  const ended = expect(runner.run(batchOf(1))).rejects.toMatchObject({ code: 'thread_died' })
  const other = runner.run(batchOf(2))
  await settle()
  runners[0]?.die()
  await ended
  void runner.run(batchOf(3))
  await settle()
  expect(given(runners)).toEqual([[1, 3], [2]])
  runners[1]?.finish()
  expect((await other).rows[0]).toBe(2)
})

test('what waits is run by the others when a device is lost', async () => {
  const { runner, runners } = open(2, 1)
  const lost = expect(runner.run(batchOf(1))).rejects.toMatchObject({ code: 'device_lost' })
  const answers = [2, 3, 4].map((id) => runner.run(batchOf(id)))
  await settle()
  Object.assign(runners[0] as FakeRunner, { healthy: false })
  runners[0]?.fail(new ServerError('device_lost', 'gone'))
  await lost
  await runners[1]?.finishAll()
  expect((await Promise.all(answers)).map(({ rows }) => rows[0])).toEqual([2, 3, 4])
  expect(given(runners)).toEqual([[1], [2, 3, 4]])
})

test('close closes all', async () => {
  const { runner, runners } = open(3)
  await runner.close()
  expect(runners.map(({ closeCount }) => closeCount)).toEqual([1, 1, 1])
})
