/** Is a packed batch worth it, and what does the engine cost? Tokens a second, counted without padding. */
import { availableParallelism } from 'node:os'
import type { Engine } from '../src/engine/engine.ts'
import type { BareSession } from './bare-session.ts'
import { openBareSession } from './bare-session.ts'
import { interleave, median, mixedLengths, printFigure, ratio, seededRandom, textOf } from './harness.ts'
import { openEngineForBench } from './open-engine.ts'

const TEXTS = 240
const ROUNDS = 5
const BATCH_TOKENS = 512
const REQUEST_TEXTS = 32
const REQUESTS_AT_ONCE = 8

interface Workload {
  readonly texts: readonly string[]
  readonly rows: readonly Int32Array[]
  readonly tokens: number
}

export async function benchThroughput(): Promise<void> {
  const session = await openBareSession(availableParallelism())
  const { engine, rowsOf, close } = await openEngineForBench()
  const random = seededRandom(1)
  const mixed = mixedLengths(TEXTS, random)
  await compare('mixed lengths (5–256 tokens, median 63)', mixed, { session, engine, rowsOf, random }, [
    '≥ 2',
    '≥ 1.05',
  ])
  const uniform = Array.from({ length: TEXTS / 2 }, () => 128)
  await compare('uniform lengths (128 tokens)', uniform, { session, engine, rowsOf, random }, [
    '≥ 0.97',
    '≥ 0.97',
  ])
  await close()
}

interface Parts {
  readonly session: BareSession
  readonly engine: Engine
  readonly rowsOf: (texts: readonly string[]) => Promise<Int32Array[]>
  readonly random: () => number
}

async function compare(
  title: string,
  lengths: readonly number[],
  parts: Parts,
  marks: readonly [string, string],
) {
  const { session, engine, rowsOf, random } = parts
  const texts = lengths.map((length) => textOf(length, random))
  const rows = await rowsOf(texts)
  const work: Workload = { texts, rows, tokens: rows.reduce((sum, row) => sum + row.length, 0) }
  const sorted = rows.toSorted((a, b) => a.length - b.length)
  const bestArrival = await findBestBatch(session, rows)
  const bestSorted = await findBestBatch(session, sorted)
  const seconds = await interleave(ROUNDS, {
    'padded as it comes': () => eachBatch(rows, bestArrival, session.padded),
    'padded sorted': () => eachBatch(sorted, bestSorted, session.padded),
    'packed as it comes': () => eachPackedBatch(rows, session.packed),
    'packed sorted': () => eachPackedBatch(sorted, session.packed),
    'engine, one request': () => engine.embed({ kind: 'embed', model: undefined, texts }),
    'engine, requests of 32, 8 at once': () => embedInRequests(engine, texts),
  })
  console.log(
    `${title}: ${work.tokens} tokens, best padded batch ${bestArrival} as it comes, ${bestSorted} sorted`,
  )
  for (const [name, values] of Object.entries(seconds)) {
    printFigure(name, `${Math.round(work.tokens / median(values))} tok/s`)
  }
  const engineName = 'engine, one request'
  printFigure(
    'engine ÷ padded as it comes',
    ratio(seconds, engineName, 'padded as it comes').toFixed(2),
    marks[0],
  )
  printFigure('engine ÷ padded sorted', ratio(seconds, engineName, 'padded sorted').toFixed(2), marks[1])
  printFigure(
    'packed session ÷ padded as it comes',
    ratio(seconds, 'packed sorted', 'padded as it comes').toFixed(2),
    marks[0],
  )
  printFigure(
    'packed session ÷ padded sorted',
    ratio(seconds, 'packed sorted', 'padded sorted').toFixed(2),
    marks[1],
  )
  printFigure('engine ÷ packed session', ratio(seconds, engineName, 'packed sorted').toFixed(2), '≥ 0.90')
}

/** The padded baseline at its best: the batch size that it is fastest with. */
async function findBestBatch(session: BareSession, rows: readonly Int32Array[]): Promise<number> {
  const sizes = [1, 2, 4, 8, 16, 32]
  const some = rows.slice(0, rows.length / 2)
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
