/** Run by `libraries.ts`: the packed session alone, on texts tokenized before. What an engine around it can reach at best. */
import { availableParallelism } from 'node:os'
import { createInterface } from 'node:readline'
import { openBareSession } from '../bare-session.ts'
import { openEngineForBench } from '../open-engine.ts'
import { versionOf } from './ours.ts'
import type { LibraryAsk, LibraryReply } from './library.ts'

/** Full batches of rows of like length: near the most that any order gives. */
const BATCH_TOKENS = 512

const session = await openBareSession(availableParallelism())
const { engine, rowsOf, close } = await openEngineForBench({ EXECUTION_PROVIDER: 'cpu' })
write({ 'onnxruntime-node': versionOf('onnxruntime-node') })
for await (const line of createInterface({ input: process.stdin }))
  write(await answer(JSON.parse(line) as LibraryAsk))
await close()

async function answer({ texts, oneByOne, wantsVectors }: LibraryAsk): Promise<LibraryReply> {
  if (wantsVectors) return { seconds: [], vectors: await vectorsOf(texts) }
  const rows = await rowsOf(texts)
  if (oneByOne) return { seconds: await timeEach(rows) }
  const sorted = rows.toSorted((a, b) => a.length - b.length)
  return { seconds: [await timed(() => runPacked(sorted))] }
}

async function timeEach(rows: readonly Int32Array[]): Promise<number[]> {
  const seconds: number[] = []
  for (const row of rows) seconds.push(await timed(() => session.packed([row])))
  return seconds
}

/** The session runs the graph that the engine runs: its vectors are the engine's. */
async function vectorsOf(texts: readonly string[]): Promise<number[][]> {
  const { vectors, dimensions } = await engine.embed({ kind: 'embed', model: undefined, texts })
  return texts.map((_, index) => [...vectors.subarray(index * dimensions, (index + 1) * dimensions)])
}

async function runPacked(rows: readonly Int32Array[]): Promise<void> {
  let batch: Int32Array[] = []
  let tokens = 0
  for (const row of rows) {
    if (tokens + row.length > BATCH_TOKENS) {
      await session.packed(batch)
      batch = []
      tokens = 0
    }
    batch.push(row)
    tokens += row.length
  }
  await session.packed(batch)
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await run()
  return (performance.now() - start) / 1000
}

function write(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}
