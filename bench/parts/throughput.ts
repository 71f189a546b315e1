/** Is a packed batch worth it, and what does the engine cost? Tokens a second, counted without padding. */
import { availableParallelism } from 'node:os'
import type { Engine } from '../../src/engine/engine.ts'
import type { BareSession } from '../bare-session.ts'
import { openBareSession } from '../bare-session.ts'
import { interleave, median, mixedLengths, ratio, seededRandom, textOf } from '../harness.ts'
import { openEngineForBench } from '../open-engine.ts'
import type { Part, PartReport } from './part.ts'

const BATCH_TOKENS = 512
const REQUEST_TEXTS = 32
const REQUESTS_AT_ONCE = 8

export const benchThroughput: Part = async (report, { rounds, throughputTexts }) => {
  const session = await openBareSession(availableParallelism())
  const { engine, rowsOf, close } = await openEngineForBench()
  const random = seededRandom(1)
  const parts = { session, engine, rowsOf, random, report, rounds }
  const mixed = mixedLengths(throughputTexts, random)
  await compare('mixed lengths (5–256 tokens, median 63)', mixed, parts, ['≥ 2', '≥ 1.05'])
  const uniform = Array.from({ length: throughputTexts / 2 }, () => 128)
  await compare('uniform lengths (128 tokens)', uniform, parts, ['≥ 0.97', '≥ 0.97'])
  await close()
}

interface Parts {
  readonly session: BareSession
  readonly engine: Engine
  readonly rowsOf: (texts: readonly string[]) => Promise<Int32Array[]>
  readonly random: () => number
  readonly report: PartReport
  readonly rounds: number
}

/** Batches that servers use: one text at a time, TEI's on CPU, and the usual 32. */
const PADDED_SIZES = [1, 4, 8, 32]

async function compare(
  title: string,
  lengths: readonly number[],
  parts: Parts,
  marks: readonly [string, string],
) {
  const { session, engine, rowsOf, random, report, rounds } = parts
  const texts = lengths.map((length) => textOf(length, random))
  const rows = await rowsOf(texts)
  const tokens = rows.reduce((sum, row) => sum + row.length, 0)
  const sorted = rows.toSorted((a, b) => a.length - b.length)
  const bestSorted = await findBestBatch(session, sorted)
  const arrival = PADDED_SIZES.map((size) => [`padded as it comes, ${size} a batch`, size] as const)
  const seconds = await interleave(rounds, {
    ...Object.fromEntries(arrival.map(([name, size]) => [name, () => eachBatch(rows, size, session.padded)])),
    'padded sorted': () => eachBatch(sorted, bestSorted, session.padded),
    'packed sorted': () => eachPackedBatch(sorted, session.packed),
    'engine, one request': () => engine.embed({ kind: 'embed', model: undefined, texts }),
    'engine, requests of 32, 8 at once': () => embedInRequests(engine, texts),
  })
  report.section(`${title}: ${tokens} tokens, ${bestSorted} a batch sorted`)
  for (const [name, values] of Object.entries(seconds)) {
    report.figure(name, `${Math.round(tokens / median(values))} tok/s`)
  }
  for (const fast of ['packed sorted', 'engine, one request']) {
    for (const [slow] of arrival)
      report.figure(`${fast} ÷ ${slow}`, ratio(seconds, fast, slow).toFixed(2), marks[0])
    report.figure(`${fast} ÷ padded sorted`, ratio(seconds, fast, 'padded sorted').toFixed(2), marks[1])
  }
  report.figure(
    'engine ÷ packed session',
    ratio(seconds, 'engine, one request', 'packed sorted').toFixed(2),
    '≥ 0.90',
  )
}

/** The batch size that the sorted baseline is fastest with. */
async function findBestBatch(session: BareSession, rows: readonly Int32Array[]): Promise<number> {
  const sizes = [1, 2, 4, 8, 16, 32]
  // Every second row, so that of sorted rows all lengths are there.
  const some = rows.filter((_, index) => index % 2 === 0)
  const seconds = await interleave(
    2,
    Object.fromEntries(sizes.map((size) => [String(size), () => eachBatch(some, size, session.padded)])),
  )
  return sizes.toSorted(
    (a, b) => median(seconds[String(a)] ?? []) - median(seconds[String(b)] ?? []),
  )[0] as number
}

async function eachBatch(
  rows: readonly Int32Array[],
  size: number,
  run: BareSession['padded'],
): Promise<void> {
  for (let from = 0; from < rows.length; from += size) await run(rows.slice(from, from + size))
}

async function eachPackedBatch(rows: readonly Int32Array[], run: BareSession['packed']): Promise<void> {
  let batch: Int32Array[] = []
  let tokens = 0
  for (const row of rows) {
    if (tokens + row.length > BATCH_TOKENS) {
      await run(batch)
      batch = []
      tokens = 0
    }
    batch.push(row)
    tokens += row.length
  }
  await run(batch)
}

async function embedInRequests(engine: Engine, texts: readonly string[]): Promise<void> {
  let next = 0
  const client = async () => {
    while (next < texts.length) {
      const from = next
      next += REQUEST_TEXTS
      await engine.embed({ kind: 'embed', model: undefined, texts: texts.slice(from, from + REQUEST_TEXTS) })
    }
  }
  await Promise.all(Array.from({ length: REQUESTS_AT_ONCE }, client))
}
