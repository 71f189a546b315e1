import { describe, expect, test } from 'vitest'
import type { ModelGauges } from '../../../src/base/metrics.ts'
import { Metrics } from '../../../src/base/metrics.ts'

const STATS = { queuedItems: 5, heldRequests: 2, waitingTokens: 70, runningBatches: 1 }
const BATCH = { rows: 4, tokens: 96, maxTokens: 128, runMs: 250 }

function open(models: readonly ModelGauges[] = [{ id: 'small', maxBatchTokens: 512, stats: STATS }]) {
  const clock = { ms: 1000 }
  const gate = { running: 3, waiting: 7 }
  const cache: { now: { entries: number; bytes: number } | undefined } = { now: undefined }
  const metrics = new Metrics({
    models: () => models,
    gate: () => gate,
    cache: () => cache.now,
    now: () => clock.ms,
  })
  return { metrics, clock, gate, cache }
}

/** Every sample of ours: its name with its labels, and its value. */
async function samples(metrics: Metrics): Promise<Map<string, number>> {
  const lines = (await metrics.text()).split('\n').filter((line) => line.startsWith('embeddings_'))
  return new Map(
    lines.map((line) => [
      line.slice('embeddings_'.length, line.lastIndexOf(' ')),
      Number(line.slice(line.lastIndexOf(' '))),
    ]),
  )
}

async function sample(metrics: Metrics, name: string): Promise<number | undefined> {
  return (await samples(metrics)).get(name)
}

test('each metric stands in the text with its help, its type and a value', async () => {
  const { metrics } = open()
  metrics.answered({ route: '/v1/embeddings', model: 'small', status: 200 }, 12)
  metrics.jobStarted()
  metrics.jobEnded({ outcome: 'completed', ms: 30 })
  metrics.batchRan('small', BATCH)
  metrics.itemsReused('small', 2, 'duplicate')
  const text = await metrics.text()
  const types = [...text.matchAll(/^# TYPE embeddings_(\w+) (\w+)$/gm)].map(
    ([, name, type]) => `${name} ${type}`,
  )
  expect(types.toSorted()).toEqual([
    'batch_budget_tokens gauge',
    'batch_fill_ratio histogram',
    'batch_rows histogram',
    'cache_bytes gauge',
    'cache_entries gauge',
    'device_busy_ratio gauge',
    'device_busy_seconds_total counter',
    'held_requests gauge',
    'items_reused_total counter',
    'job_seconds histogram',
    'jobs_in_flight gauge',
    'jobs_total counter',
    'queue_items gauge',
    'queue_tokens gauge',
    'request_seconds histogram',
    'requests_in_flight gauge',
    'requests_waiting gauge',
    'running_batches gauge',
    'tokens_total counter',
  ])
  for (const type of types) {
    const [name] = type.split(' ')
    expect(text).toMatch(new RegExp(`^# HELP embeddings_${name} \\S`, 'm'))
    expect(text).toMatch(new RegExp(`^embeddings_${name}(_sum)?(\\{[^}]*\\})? \\d`, 'm'))
  }
  expect(text).toContain('process_resident_memory_bytes')
  expect(metrics.contentType).toMatch(/^text\/plain; version=0\.0\.4/)
})

test('queues and the line are read when somebody asks, for each model', async () => {
  const { metrics, gate } = open([
    { id: 'small', maxBatchTokens: 512, stats: STATS },
    { id: 'large', maxBatchTokens: 64, stats: { ...STATS, queuedItems: 6, waitingTokens: 80 } },
  ])
  expect(Object.fromEntries(await samples(metrics))).toMatchObject({
    'queue_items{model="small"}': 5,
    'queue_items{model="large"}': 6,
    'queue_tokens{model="small"}': 70,
    'queue_tokens{model="large"}': 80,
    'held_requests{model="small"}': 2,
    'running_batches{model="large"}': 1,
    'batch_budget_tokens{model="small"}': 512,
    'batch_budget_tokens{model="large"}': 64,
    requests_in_flight: 3,
    requests_waiting: 7,
  })
  gate.running = 4
  gate.waiting = 0
  expect(Object.fromEntries(await samples(metrics))).toMatchObject({
    requests_in_flight: 4,
    requests_waiting: 0,
  })
})

test('an answer is timed in seconds, by its route, model and status', async () => {
  const { metrics } = open()
  metrics.answered({ route: '/v1/embeddings', model: 'small', status: 200 }, 20)
  metrics.answered({ route: '/v1/embeddings', model: 'small', status: 200 }, 40)
  metrics.answered({ route: '/v1/embeddings', model: undefined, status: 429 }, 1)
  const all = await samples(metrics)
  const labels = 'route="/v1/embeddings",model="small",status="200"'
  expect(all.get(`request_seconds_count{${labels}}`)).toBe(2)
  expect(all.get(`request_seconds_sum{${labels}}`)).toBeCloseTo(0.06)
  expect(all.get(`request_seconds_bucket{le="0.025",${labels}}`)).toBe(1)
  expect(all.get('request_seconds_count{route="/v1/embeddings",model="none",status="429"}')).toBe(1)
})

test('what no endpoint serves is counted under one label, however often and whatever was asked for', async () => {
  const { metrics } = open()
  for (let k = 0; k < 100; k++) metrics.answered({ route: undefined, status: 404 }, k)
  const counts = [...(await samples(metrics))].filter(([name]) => name.startsWith('request_seconds_count'))
  expect(counts).toEqual([['request_seconds_count{route="none",model="none",status="404"}', 100]])
})

test('jobs are counted by outcome and timed', async () => {
  const { metrics } = open()
  metrics.jobStarted()
  metrics.jobEnded({ outcome: 'completed', ms: 500 })
  metrics.jobStarted()
  metrics.jobEnded({ outcome: 'failed', ms: 1500 })
  metrics.jobStarted()
  metrics.jobEnded({ outcome: 'completed', ms: 1000 })
  expect(Object.fromEntries(await samples(metrics))).toMatchObject({
    'jobs_total{outcome="completed"}': 2,
    'jobs_total{outcome="failed"}': 1,
    job_seconds_count: 3,
    job_seconds_sum: 3,
  })
})

test('a batch tells its fill, its rows, its tokens and how long it took', async () => {
  const { metrics } = open()
  metrics.batchRan('small', BATCH)
  metrics.batchRan('small', { ...BATCH, rows: 1, tokens: 32 })
  expect(Object.fromEntries(await samples(metrics))).toMatchObject({
    'batch_fill_ratio_sum{model="small"}': 1,
    'batch_fill_ratio_bucket{le="0.25",model="small"}': 1,
    'batch_fill_ratio_bucket{le="0.75",model="small"}': 2,
    'batch_rows_sum{model="small"}': 5,
    'tokens_total{model="small"}': 128,
    'device_busy_seconds_total{model="small"}': 0.5,
  })
})

test('items that were not computed are counted by where their results came from', async () => {
  const { metrics } = open()
  metrics.itemsReused('small', 2, 'duplicate')
  metrics.itemsReused('small', 3, 'duplicate')
  metrics.itemsReused('small', 7, 'cache')
  expect(Object.fromEntries(await samples(metrics))).toMatchObject({
    'items_reused_total{model="small",source="duplicate"}': 5,
    'items_reused_total{model="small",source="cache"}': 7,
  })
})

test('the cache is read when somebody asks, and is empty where there is none', async () => {
  const { metrics, cache } = open()
  expect(Object.fromEntries(await samples(metrics))).toMatchObject({ cache_entries: 0, cache_bytes: 0 })
  cache.now = { entries: 3, bytes: 4000 }
  expect(Object.fromEntries(await samples(metrics))).toMatchObject({ cache_entries: 3, cache_bytes: 4000 })
})

describe('the busy ratio', () => {
  const RATIO = 'device_busy_ratio{model="small"}'

  test('is the share of the time since it was last read', async () => {
    const { metrics, clock } = open()
    expect(await sample(metrics, RATIO)).toBe(0)
    metrics.batchRan('small', BATCH)
    metrics.batchRan('small', BATCH)
    clock.ms += 2000
    expect(await sample(metrics, RATIO)).toBe(0.25)
    clock.ms += 2000
    expect(await sample(metrics, RATIO)).toBe(0)
    metrics.batchRan('small', BATCH)
    clock.ms += 500
    expect(await sample(metrics, RATIO)).toBe(0.5)
  })

  test('is never above one, though a batch began before the last reading or ran beside another', async () => {
    const { metrics, clock } = open()
    await metrics.text()
    metrics.batchRan('small', { ...BATCH, runMs: 5000 })
    clock.ms += 1000
    expect(await sample(metrics, RATIO)).toBe(1)
  })

  test('read twice in the same moment is a number', async () => {
    const { metrics } = open()
    await metrics.text()
    metrics.batchRan('small', BATCH)
    expect(await sample(metrics, RATIO)).toBe(0)
  })

  test('is counted apart for each model', async () => {
    const { metrics, clock } = open([
      { id: 'small', maxBatchTokens: 512, stats: STATS },
      { id: 'large', maxBatchTokens: 64, stats: STATS },
    ])
    await metrics.text()
    metrics.batchRan('large', BATCH)
    clock.ms += 1000
    expect(await sample(metrics, RATIO)).toBe(0)
    clock.ms += 1000
    metrics.batchRan('small', BATCH)
    clock.ms += 1000
    expect(await sample(metrics, 'device_busy_ratio{model="large"}')).toBe(0)
  })
})

test('two sets of metrics know nothing of each other', async () => {
  const [one, other] = [open().metrics, open().metrics]
  one.jobEnded({ outcome: 'completed', ms: 1 })
  expect(await sample(one, 'jobs_total{outcome="completed"}')).toBe(1)
  expect(await sample(other, 'jobs_total{outcome="completed"}')).toBeUndefined()
})
