/** What does one short query cost, alone and beside bulk work, and does the event loop stay free? */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { availableParallelism } from 'node:os'
import { close, handler } from '../handler.ts'
import { openBareSession } from './bare-session.ts'
import { median, mixedLengths, printFigure, quantile, seededRandom, textOf } from './harness.ts'
import { openEngineForBench } from './open-engine.ts'

const QUERIES = 300
const BULK_TEXTS = 2000

export async function benchLatency(): Promise<void> {
  const random = seededRandom(2)
  const query = textOf(12, random)
  await oneQuery(query)
  await behindBulk(
    query,
    mixedLengths(BULK_TEXTS, random).map((length) => textOf(length, random)),
  )
}

/** The session run and the whole job, in turn. */
async function oneQuery(query: string): Promise<void> {
  const session = await openBareSession(availableParallelism())
  const { rowsOf, close: closeEngine } = await openEngineForBench()
  const rows = await rowsOf([query])
  await closeEngine()
  const runMs: number[] = []
  const jobMs: number[] = []
  for (let i = 0; i < QUERIES + 50; i++) {
    const [run, job] = [
      await timed(() => session.packed(rows)),
      await timed(() => handler({ input: { input: query } })),
    ]
    if (i < 50) continue
    runMs.push(run)
    jobMs.push(job)
  }
  console.log('one query of 12 tokens, nothing else running')
  printFigure('session run p50 / p99', `${median(runMs).toFixed(2)} / ${quantile(runMs, 0.99).toFixed(2)} ms`)
  printFigure(
    'job through handler p50 / p99',
    `${median(jobMs).toFixed(2)} / ${quantile(jobMs, 0.99).toFixed(2)} ms`,
  )
  printFigure(
    'handler − session run, medians',
    `${(median(jobMs) - median(runMs)).toFixed(2)} ms`,
    '≤ 0.7 ms',
  )
}

async function behindBulk(query: string, texts: readonly string[]): Promise<void> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const queryMs: number[] = []
  let bulkDone = false
  let bulkMs = 0
  const bulk = timed(() => handler({ input: { input: texts } })).then((ms) => {
    bulkMs = ms
    bulkDone = true
  })
  while (!bulkDone) queryMs.push(await timed(() => handler({ input: { input: query } })))
  await bulk
  delay.disable()
  await close()
  const worst = (delay.max / 1e6).toFixed(1)
  console.log(
    `queries one after another beside a job of ${texts.length} mixed texts (${(bulkMs / 1000).toFixed(1)} s)`,
  )
  printFigure('query p50 / p99', `${median(queryMs).toFixed(1)} / ${quantile(queryMs, 0.99).toFixed(1)} ms`)
  printFigure(
    'slowest query, share of the job',
    `${((100 * Math.max(...queryMs)) / bulkMs).toFixed(2)} %`,
    '< 5 %',
  )
  printFigure(
    'event-loop delay p99 / worst',
    `${(delay.percentile(99) / 1e6).toFixed(1)} / ${worst} ms`,
    '≤ 10 ms',
  )
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await run()
  return performance.now() - start
}
