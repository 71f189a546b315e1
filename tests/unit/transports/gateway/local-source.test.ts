import { expect, test } from 'vitest'
import { localSource } from '../../../../src/transports/gateway/local-source.ts'
import { outcome } from '../../../fakes/lane.ts'
import { encoded, openStore, submission, textOf } from '../../../fakes/job-store.ts'

const signal = new AbortController().signal
const options = { jobsInProgress: false, signal }

test('jobs of the store go to the worker, and its progress and results come back', async () => {
  const { store } = openStore()
  const source = localSource(store, 'local')
  const taken = source.take(2, options)
  const { id } = store.submit(submission({ input: { text: 'a' } }))
  expect(await taken).toMatchObject([{ id, input: { text: 'a' } }])
  await source.progress(id, { done: 1, total: 2 })
  expect(textOf(store.get(id)?.output)).toBe('{"done":1,"total":2}')
  const output = encoded([1])
  await source.finish(id, { outcome: { output }, stopPod: false }, signal)
  expect(store.get(id)).toMatchObject({ status: 'COMPLETED', workerId: 'local', output })
})

test('an error fails the job; a result that nobody wants any more is no failure', async () => {
  const { store } = openStore()
  const source = localSource(store, 'local')
  const { id } = store.submit(submission())
  await source.take(1, options)
  await source.finish(id, { outcome: { error: 'no memory' }, stopPod: true }, signal)
  expect(store.get(id)).toMatchObject({ status: 'FAILED', error: 'no memory' })
  await source.finish(id, { outcome: { error: 'late' }, stopPod: false }, signal)
  expect(store.get(id)?.error).toBe('no memory')
})

test('cancelled jobs are told', async () => {
  const { store } = openStore()
  const source = localSource(store, 'local')
  const { id } = store.submit(submission())
  await source.take(1, options)
  const stopped = source.stopped(signal)
  store.cancel(id)
  expect(await stopped).toEqual([id])
})

test('waits end with the caller’s signal, and with the source', async () => {
  const { store } = openStore()
  const source = localSource(store, 'local')
  const controller = new AbortController()
  const aborted = outcome(source.take(1, { jobsInProgress: false, signal: controller.signal }))
  const waits = [outcome(source.take(1, options)), outcome(source.stopped(signal))]
  controller.abort()
  expect(await aborted).toMatchObject({ code: 'cancelled' })
  await source.close()
  for (const wait of waits) expect(await wait).toMatchObject({ code: 'cancelled' })
  store.submit(submission())
  expect(store.counts().inQueue).toBe(1)
})
