/**
 * What each mode of int8 costs and buys: float32 and the three modes in turn, round after round, in one process. Texts are the
 * sentences of docs/, which calibrate nothing.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeInt8Ask } from '../src/calibration/int8-ask.ts'
import { CPU } from '../src/devices/device.ts'
import type { TargetName } from '../src/graph/target.ts'
import { openFolder } from '../src/model/open-folder.ts'
import { batchesOf, compare, vectorsOf } from '../src/runtime/int8/trial.ts'
import type { LoadedGraph } from '../src/runtime/load-graph.ts'
import { loadGraph } from '../src/runtime/load-graph.ts'
import type { RaggedBatch } from '../src/runtime/runner.ts'
import { NO_ADAPTER } from '../src/runtime/runner.ts'
import { runBatch } from '../src/runtime/warm-up.ts'
import type { Tokenizer } from '../src/tokenize/tokenizer.ts'
import { TokenizerThread } from '../src/tokenize/tokenizer.ts'
import {
  MODEL,
  interleave,
  median,
  mixedLengths,
  printFigure,
  printMachine,
  ratio,
  seededRandom,
  textOf,
} from './harness.ts'
import { tokenizerOf } from '../src/model/spec.ts'

const ROUNDS = 9
const TEXTS = 600
const MIXED = 240
const QUERY_TOKENS = 12
/** One query takes too little time to be measured by itself. */
const QUERIES = 50
const MODES = ['fast', 'balanced', 'faithful'] as const
const MARKS = { fast: '≥ 2.1', balanced: '≥ 1.7', faithful: '' } as const

const folder = process.argv[2] ?? MODEL
const spec = await openFolder(folder)
const tokenizers = new TokenizerThread()
const tokenizer = await tokenizers.open(tokenizerOf(spec))
const cacheFolder = join(tmpdir(), 'embeddings-bench-int8')

const models: Record<string, LoadedGraph> = { fp32: await load('cpu-f32') }
for (const mode of MODES) models[mode] = await load(`cpu-int8-${mode}`, mode)
const { graph } = models['fp32'] as LoadedGraph

printMachine()
const trial = batchesOf(await rowsOf(tokenizer, sentences()), graph)
const expected = await vectorsOf(models['fp32'] as LoadedGraph, trial)
for (const mode of MODES) {
  const { meanCosine, leastCosine, texts } = compare(
    await vectorsOf(models[mode] as LoadedGraph, trial),
    expected,
  )
  printFigure(
    `${mode}: cosine over ${texts} texts, mean / least`,
    `${meanCosine.toFixed(4)} / ${leastCosine.toFixed(4)}`,
  )
}

const random = seededRandom(1)
const mixedTexts = mixedLengths(MIXED, random)
  .toSorted((a, b) => a - b)
  .map((length) => textOf(length, random))
const mixed = batchesOf(await rowsOf(tokenizer, mixedTexts), graph)
const query = batchesOf(await rowsOf(tokenizer, [textOf(QUERY_TOKENS, random)]), graph)
await report('mixed lengths', mixed, 1)
await report(`one query of ${QUERY_TOKENS} tokens`, query, QUERIES)
await Promise.all(Object.values(models).map(({ session }) => session.release()))
await tokenizers.close()

async function load(target: TargetName, mode?: (typeof MODES)[number]): Promise<LoadedGraph> {
  const int8 = mode && (await makeInt8Ask(mode, { spec, tokenizer, isForced: true }))
  const threadCount = availableParallelism()
  return loadGraph({ spec, target, device: CPU, threadCount, share: undefined, cacheFolder, int8 })
}

async function report(title: string, batches: readonly RaggedBatch[], times: number): Promise<void> {
  const tokens = batches.reduce((sum, { ids }) => sum + ids.length, 0)
  console.log(`${title}: ${tokens} tokens`)
  const run =
    ({ graph, session }: LoadedGraph) =>
    async () => {
      for (let time = 0; time < times; time++)
        for (const batch of batches) await runBatch(graph, session, batch)
    }
  const seconds = await interleave(
    ROUNDS,
    Object.fromEntries(Object.entries(models).map(([name, model]) => [name, run(model)])),
  )
  for (const [name, values] of Object.entries(seconds)) {
    const ms = (median(values) / times) * 1000
    printFigure(name, times === 1 ? `${Math.round(tokens / (ms / 1000))} tok/s` : `${ms.toFixed(2)} ms`)
  }
  for (const mode of MODES)
    printFigure(
      `${mode} ÷ fp32`,
      `${ratio(seconds, mode, 'fp32').toFixed(2)} ×`,
      times === 1 ? MARKS[mode] : '',
    )
}

/** Each of 26 characters and more, once. */
function sentences(): string[] {
  const docs = new URL('../docs/', import.meta.url)
  const texts = readdirSync(docs).flatMap((name) =>
    readFileSync(new URL(name, docs), 'utf8')
      .replaceAll(/```[^]*?```/g, '')
      .split(/\n\n+|(?<=[.!?:;])\s+/)
      .map((text) => text.replaceAll(/\s+/g, ' ').trim())
      .filter((text) => text.length > 25),
  )
  return [...new Set(texts)].slice(0, TEXTS)
}

async function rowsOf({ texts: read }: Tokenizer, texts: readonly string[]): Promise<RaggedBatch> {
  const { vocabularySize } = graph
  const maxTokens = Math.min(256, tokenizerOf(spec).maxTokens ?? 256)
  const options = { noun: 'text', firstIndex: 0, truncate: 'right', maxTokens, vocabularySize } as const
  const rows = await read(texts, { text: '', pooled: true }, options)
  return { ...rows, adapters: new Int32Array(texts.length).fill(NO_ADAPTER), wantsTokens: false }
}
