/** How fast is a model, from texts to vectors, through the engine that serves requests? */
import { readFileSync, writeFileSync } from 'node:fs'
import type { BatchFacts } from '../../src/base/metrics.ts'
import { loadConfig } from '../../src/config.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { startService } from '../../src/start.ts'
import type { ModelInfo } from '../../src/task.ts'
import { runJob } from '../../src/transports/runpod/job.ts'
import { findShape } from '../../tools/random-model/shapes.ts'
import { median, quantile } from '../harness.ts'
import { countFlops } from './flops.ts'
import { readGpuMemory } from './gpu-memory.ts'
import type { SpeedJob } from './jobs.ts'
import { COMPARED_TEXTS, QUERY_WORDS } from './jobs.ts'
import type { Finding, SpeedFinding } from './rows.ts'
import type { SetName, TextSets } from './texts.ts'
import { countTokens } from './texts.ts'

/** Rounds are of a multiple of this, so that batches fill up. */
const STEP = 32
const WARM_QUERIES = 20

export async function measureSpeed(job: SpeedJob, emit: (finding: Finding) => void): Promise<void> {
  const before = await readGpuMemory(job.gpuId)
  const batches: BatchFacts[] = []
  const config = loadConfig({ ...job.settings, MODEL_NAMES: `model=${job.folder}` }, [])
  const start = performance.now()
  const { engine, close } = await startService({
    config,
    log: () => {},
    onBatch: (_, batch) => batches.push(batch),
  })
  try {
    const loadMs = performance.now() - start
    const loaded = await readGpuMemory(job.gpuId)
    const model = engine.models()[0] as ModelInfo
    const about = { model: job.shape, dtype: model.dtype, variant: job.variant }
    const sets = JSON.parse(readFileSync(job.textsFile, 'utf8')) as TextSets
    if (job.vectorsFile !== undefined) await saveVectors(engine, sets, job.vectorsFile)
    for (const set of job.sets) emit(await measureSet(set, sets[set], { job, engine, model, batches }))
    if (job.queries > 0) emit({ kind: 'query', ...about, ...(await measureQueries(engine, sets, job)) })
    const peak = await readGpuMemory(job.gpuId)
    emit({
      kind: 'memory',
      ...about,
      loadMs,
      loadedMib: difference(loaded, before),
      peakMib: difference(peak, before),
    })
  } finally {
    await close()
  }
}

/** One after the other and in their order: what is compared must not depend on this engine's batches. */
async function saveVectors(engine: Engine, { mixed }: TextSets, path: string): Promise<void> {
  const texts = mixed.slice(0, COMPARED_TEXTS)
  const { vectors } = await embed(engine, texts)
  writeFileSync(path, new Uint8Array(vectors.buffer, vectors.byteOffset, vectors.byteLength))
}

interface Parts {
  readonly job: SpeedJob
  readonly engine: Engine
  readonly model: ModelInfo
  readonly batches: BatchFacts[]
}

async function measureSet(set: SetName, all: readonly string[], parts: Parts): Promise<SpeedFinding> {
  const { job, engine, model, batches } = parts
  const texts = await chooseTexts(engine, all, job.roundSeconds)
  await embed(engine, texts)
  batches.length = 0
  const seconds: number[] = []
  for (let round = 0; round < job.rounds; round++) seconds.push(await timed(() => embed(engine, texts)))
  const tokens = sum(batches, (batch) => batch.tokens) / job.rounds
  const deviceSeconds = sum(batches, (batch) => batch.runMs) / 1000 / job.rounds
  const shape = findShape(job.shape)
  const { linear, attention } = countFlops(shape, countTokens(shape, texts))
  const middle = median(seconds)
  return {
    kind: 'speed',
    model: job.shape,
    dtype: model.dtype,
    provider: model.provider,
    variant: job.variant,
    set,
    batchSize: model.batchSize,
    texts: texts.length,
    tokens,
    seconds: middle,
    fastest: Math.min(...seconds),
    slowest: Math.max(...seconds),
    rounds: job.rounds,
    textsPerSecond: texts.length / middle,
    tokensPerSecond: tokens / middle,
    deviceTokensPerSecond: tokens / deviceSeconds,
    batches: batches.length / job.rounds,
    tflops: (linear + attention) / middle / 1e12,
    deviceTflops: (linear + attention) / deviceSeconds / 1e12,
    attentionShare: attention / (linear + attention),
  }
}

/** As many of the first texts as take about so long. The pass over a few of them is the warm-up too. */
async function chooseTexts(
  engine: Engine,
  all: readonly string[],
  roundSeconds: number,
): Promise<readonly string[]> {
  const few = all.slice(0, Math.max(STEP, Math.floor(all.length / 16)))
  await embed(engine, few)
  const seconds = await timed(() => embed(engine, few))
  return all.slice(0, roundCount(few.length * (roundSeconds / seconds), all.length))
}

/** A multiple of 32, from 32 up to all there are. */
export function roundCount(wanted: number, available: number): number {
  return Math.min(available, Math.max(STEP, Math.floor(wanted / STEP) * STEP))
}

async function measureQueries(engine: Engine, { mixed }: TextSets, { queries }: SpeedJob) {
  const query = mixed.join(' ').split(' ').slice(0, QUERY_WORDS).join(' ')
  const alone: number[] = []
  const jobs: number[] = []
  for (let i = 0; i < queries + WARM_QUERIES; i++) {
    const aloneMs = 1000 * (await timed(() => embed(engine, [query])))
    const jobMs = 1000 * (await timed(() => runQueryJob(engine, query)))
    if (i < WARM_QUERIES) continue
    alone.push(aloneMs)
    jobs.push(jobMs)
  }
  return { count: queries, p50: median(alone), p99: quantile(alone, 0.99), jobP50: median(jobs) }
}

async function runQueryJob(engine: Engine, query: string): Promise<void> {
  const result = await runJob({ input: { input: query } }, engine, { errorStyle: 'failed' })
  if ('error' in result) throw new Error(`a job failed: ${result.error}`)
}

function embed(engine: Engine, texts: readonly string[]) {
  return engine.embed({ kind: 'embed', model: undefined, texts })
}

/** Seconds. */
async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await run()
  return (performance.now() - start) / 1000
}

function sum(batches: readonly BatchFacts[], read: (batch: BatchFacts) => number): number {
  return batches.reduce((total, batch) => total + read(batch), 0)
}

function difference(after: number | undefined, before: number | undefined): number | undefined {
  return after === undefined || before === undefined ? undefined : after - before
}
