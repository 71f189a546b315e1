/** What does one short query cost, alone and beside bulk work, and does the event loop stay free? */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { availableParallelism } from 'node:os'
import { close, handler } from '../../handler.ts'
import { openBareSession } from '../bare-session.ts'
import { median, mixedLengths, quantile, seededRandom, textOf } from '../harness.ts'
import { openEngineForBench } from '../open-engine.ts'
import type { Part, PartReport } from './part.ts'

const QUERIES = 300

export const benchLatency: Part = async (report, { bulkTexts }) => {
  const random = seededRandom(2)
  const query = textOf(12, random)
  await oneQuery(query, report)
  await behindBulk(
    query,
    mixedLengths(bulkTexts, random).map((length) => textOf(length, random)),
    report,
  )
}

/** The session run and the whole job, in turn. */
async function oneQuery(query: string, report: PartReport): Promise<void> {
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
  report.section('one query of 12 tokens, nothing else running')
  report.figure(
    'session run p50 / p99',
    `${median(runMs).toFixed(2)} / ${quantile(runMs, 0.99).toFixed(2)} ms`,
  )
  report.figure(
    'job through handler p50 / p99',
    `${median(jobMs).toFixed(2)} / ${quantile(jobMs, 0.99).toFixed(2)} ms`,
  )
  report.figure(
    'handler − session run, medians',
    `${(median(jobMs) - median(runMs)).toFixed(2)} ms`,
    '≤ 0.7 ms',
  )
}

async function behindBulk(query: string, texts: readonly string[], report: PartReport): Promise<void> {
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
  report.section(
    `queries one after another beside a job of ${texts.length} mixed texts (${(bulkMs / 1000).toFixed(1)} s)`,
  )
  report.figure('query p50 / p99', `${median(queryMs).toFixed(1)} / ${quantile(queryMs, 0.99).toFixed(1)} ms`)
  report.figure(
    'slowest query, share of the job',
    `${((100 * Math.max(...queryMs)) / bulkMs).toFixed(2)} %`,
    '< 5 %',
  )
  report.figure(
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
