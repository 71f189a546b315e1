/** The engine's queue in virtual time: what holds of whole loads. */
import { expect, test } from 'vitest'
import { CPU, batchMs } from '../../../bench/simulate/device.ts'
import { loads, stopped } from '../../../bench/simulate/scenes.ts'
import { simulate } from '../../../bench/simulate/simulate.ts'
import { quantile } from '../../../bench/harness.ts'

const LIMITS = { maxRows: 32, maxTokens: 512, maxPaddedTokens: 1024 }

test('a batch costs its tokens, and the pairs of its padded rows', () => {
  expect(batchMs({ costs: [100, 10, 1] }, [3, 5])).toBe(100 + 80 + 2 * 25)
})

test('a seed gives the same outcome each time, and every request of every load is answered', async () => {
  for (const [index, scene] of loads(3).entries()) {
    const outcome = await simulate(scene, 'engine')
    expect(outcome.fates).toHaveLength(scene.arrivals.length)
    expect(outcome.fates.filter(({ end }) => end !== 'answered')).toEqual([])
    expect(await simulate(loads(3)[index] as typeof scene, 'engine')).toEqual(outcome)
  }
})

test('many jobs against a queue that holds three of them are all answered, and the queue holds no more', async () => {
  const lengths = Array.from({ length: 300 }, () => 100)
  const arrivals = Array.from(
    { length: 60 },
    () => ({ kind: 'job', atMs: 0, lengths, whenFull: 'wait' }) as const,
  )
  const scene = { arrivals, device: CPU, limits: LIMITS, queueSize: 1000, queueTokens: 70_000 }
  const { fates, mostQueuedItems, mostQueuedTokens } = await simulate(scene, 'engine')
  expect(fates.every(({ end }) => end === 'answered')).toBe(true)
  expect(mostQueuedItems).toBeLessThanOrEqual(700)
  expect(mostQueuedTokens).toBeLessThanOrEqual(70_000)
})

test('queries are answered before a tenth of a job’s time, and of many jobs some before half of theirs', async () => {
  const scene = loads(3).find(({ name }) => name.startsWith('one job of 2,000 texts, and queries'))
  if (scene === undefined) throw new Error('the scene has another name')
  const { fates, spanMs } = await simulate(scene, 'engine')
  const queries = fates.filter(({ arrival }) => arrival.kind === 'query').map(({ ms }) => ms)
  expect(Math.max(...queries)).toBeLessThan(spanMs / 10)
  const jobs = await simulate(stopped(3), 'engine')
  expect(
    quantile(
      jobs.fates.map(({ ms }) => ms),
      0.4,
    ),
  ).toBeLessThan(jobs.spanMs / 2)
})
