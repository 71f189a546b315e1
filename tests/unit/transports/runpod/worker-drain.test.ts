import { expect, test } from 'vitest'
import { openFakeWorker } from '../../../fakes/queue-worker.ts'
import { settle } from '../../../fakes/runner.ts'

const LONG_MS = 60_000

async function start(...ids: string[]) {
  const fake = openFakeWorker()
  let isOver = false
  const running = fake.worker.run().then(() => (isOver = true))
  await settled()
  if (ids.length > 0) fake.source.give(...ids.map((id) => ({ id })))
  await settled()
  return { ...fake, running, isOver: () => isOver }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await settle()
}

test('an idle worker ends at once, its long poll aborted', async () => {
  const { worker, running, named, source } = await start()
  await worker.drain(LONG_MS)
  await running
  expect(source.takes).toHaveLength(1)
  expect([named('drain_started'), named('drain_done')]).toMatchObject([
    [{ jobs: 0, graceMs: LONG_MS }],
    [{ level: 'info', left: [] }],
  ])
})

test('jobs in hand are answered first, and no more are taken', async () => {
  const { worker, running, isOver, source, job, named } = await start('a', 'b')
  const draining = worker.drain(LONG_MS)
  job('a').end()
  await settled()
  expect([source.takes.length, isOver()]).toEqual([2, false])
  job('b').end({ error: 'x' })
  await Promise.all([draining, running])
  expect(source.finished.map(({ id }) => id)).toEqual(['a', 'b'])
  expect(named('drain_done')).toMatchObject([{ left: [] }])
})

test('what is not done in time is aborted and not answered: another worker gets it', async () => {
  const { worker, running, source, job, named, heldByHeartbeat, ends } = await start('a', 'b', 'c')
  const draining = worker.drain(30)
  job('b').end()
  await Promise.all([draining, running])
  expect([job('a').signal.aborted, job('c').signal.aborted]).toEqual([true, true])
  job('a').end()
  await settled()
  expect(source.finished.map(({ id }) => id)).toEqual(['b'])
  expect(named('drain_done')).toMatchObject([{ level: 'warn', left: ['a', 'c'] }])
  expect(heldByHeartbeat.at(-1)).toEqual([])
  expect(ends.map(({ outcome }) => outcome)).toEqual(['completed', 'stopped', 'stopped'])
})

test('jobs of an answer that was on its way are run', async () => {
  const { worker, running, source, job } = await start()
  // The source has the answer already: it resolves in spite of the abort.
  source.give({ id: 'late' })
  const draining = worker.drain(LONG_MS)
  await settled()
  job('late').end()
  await Promise.all([draining, running])
  expect(source.finished).toMatchObject([{ id: 'late' }])
})

test('a stop is heard while draining', async () => {
  const { worker, running, source } = await start('a')
  const draining = worker.drain(LONG_MS)
  source.stop('a')
  await Promise.all([draining, running])
  expect(source.finished).toEqual([])
})
