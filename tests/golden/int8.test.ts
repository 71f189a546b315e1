/**
 * Every kind of fixture in 8 bits. Weights drawn at random are no measure of fidelity: what is held here is that they run, the
 * same alone as in a batch where that is promised. The bundled model is held to its vectors, on texts that calibrate nothing.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { makeInt8Ask } from '../../src/calibration/int8-ask.ts'
import { CALIBRATION_TEXTS } from '../../src/calibration/calibration-texts.ts'
import { CPU } from '../../src/devices/device.ts'
import { chooseTarget } from '../../src/graph/choose-target.ts'
import type { Int8Mode } from '../../src/graph/targets/cpu-int8.ts'
import { openFolder } from '../../src/model/open-folder.ts'
import { batchesOf, compare, vectorsOf } from '../../src/runtime/int8/trial.ts'
import { loadGraph } from '../../src/runtime/load-graph.ts'
import type { RaggedBatch } from '../../src/runtime/runner.ts'
import { NO_ADAPTER } from '../../src/runtime/runner.ts'
import { runBatch } from '../../src/runtime/warm-up.ts'
import type { Tokenizer } from '../../src/tokenize/tokenizer.ts'
import { TokenizerThread } from '../../src/tokenize/tokenizer.ts'
import { BUNDLED_MODEL } from '../open-model.ts'
import { tokenizerOf } from '../../src/model/spec.ts'

const here = import.meta.dirname
const ROOT = join(here, '../..')
const MODES = ['fast', 'balanced', 'faithful'] as const
/** Files of another's, and of formats that have no layers of ours. */
const OTHERS = ['exported', 'repositories', 'families']

const tokenizers = new TokenizerThread()
afterAll(() => tokenizers.close())

/** The first fixture of each family, each in one of the modes. */
const fixtures = readdirSync(here, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !/^[_.]/.test(entry.name) && !OTHERS.includes(entry.name))
  .flatMap(({ name: family }, index) => {
    const [first] = readdirSync(join(here, family)).sort()
    return first === undefined ? [] : [[`${family}/${first}`, MODES[index % 3] as Int8Mode] as const]
  })

async function open(folder: string, mode: Int8Mode) {
  const spec = await openFolder(folder)
  const tokenizer = await tokenizers.open(tokenizerOf(spec))
  const { target, replaced } = chooseTarget(spec, 'int8', CPU, mode)
  if (replaced !== undefined) return { spec, tokenizer, replaced, target }
  const int8 = await makeInt8Ask(mode, { spec, tokenizer, isForced: true })
  const model = await loadGraph({ spec, target, device: CPU, threadCount: 2, share: undefined, int8 })
  return { spec, tokenizer, replaced, target, int8, model }
}

describe.each(fixtures)('%s', (folder, mode) => {
  test(`runs in mode ${mode}`, async () => {
    const { model, replaced, int8 } = await open(join(here, folder, 'model'), mode)
    if (model === undefined) return expect(replaced?.reason).toBe('the model has no linear layers')
    const { graph, session, fidelity } = model
    try {
      const batches = batchesOf(int8.trial, graph)
      expect(fidelity?.texts).toBeGreaterThan(40)
      const [first] = batches as [RaggedBatch]
      const { rows } = await runBatch(graph, session, first)
      expect(rows.every(Number.isFinite)).toBe(true)
      if (mode !== 'faithful' || graph.tokenWidth === 0) return
      const alone = { ...first, ids: first.ids.slice(0, first.bounds[1]), bounds: first.bounds.slice(0, 2) }
      const single = await runBatch(graph, session, alone)
      const width = graph.outputWidth
      const largest = Math.max(...single.rows.map((x, i) => Math.abs(x - (rows[i] as number))))
      expect(largest / Math.max(1, ...single.rows.map(Math.abs))).toBeLessThan(1e-5)
      expect(single.rows.length).toBe(width)
    } finally {
      await session.release()
    }
  })
})

/** Sentences of these documents, whatever they say. */
function sentences(): string[] {
  const documents = readdirSync(join(ROOT, 'docs')).map((name) => join('docs', name))
  const all = documents.flatMap((path) =>
    readFileSync(join(ROOT, path), 'utf8')
      .replaceAll(/```[^]*?```/g, '')
      .split(/\n\n+|(?<=[.!?:;])\s+/)
      .map((text) => text.replaceAll(/\s+/g, ' ').trim())
      .filter((text) => text.length > 25 && text.length < 130),
  )
  return [...new Set(all)].slice(0, 520)
}

async function rowsOf(tokenizer: Tokenizer, texts: readonly string[]): Promise<RaggedBatch> {
  const options = {
    noun: 'text',
    firstIndex: 0,
    truncate: 'right',
    // Longer ones take their time.
    maxTokens: 16,
    vocabularySize: 30_522,
  } as const
  const rows = await tokenizer.texts(texts, { text: '', pooled: true }, options)
  return { ...rows, adapters: new Int32Array(texts.length).fill(NO_ADAPTER), wantsTokens: false }
}

test('the bundled model has in each mode the cosine that is promised, over texts that calibrate nothing', async () => {
  const texts = sentences()
  expect(texts.length).toBeGreaterThanOrEqual(512)
  expect(texts.filter((text) => CALIBRATION_TEXTS.includes(text))).toEqual([])
  const spec = await openFolder(BUNDLED_MODEL)
  const ask = { spec, target: 'cpu-f32', device: CPU, threadCount: 2, share: undefined } as const
  const float = await loadGraph(ask)
  const trial = batchesOf(await rowsOf(await tokenizers.open(tokenizerOf(spec)), texts), float.graph)
  const expected = await vectorsOf(float, trial)
  await float.session.release()
  const promised = { fast: 0.997, balanced: 0.999, faithful: 0.9995 }
  for (const mode of MODES) {
    const { model } = await open(BUNDLED_MODEL, mode)
    if (model === undefined) throw new Error('the bundled model has linear layers')
    const { meanCosine, texts: count } = compare(await vectorsOf(model, trial), expected)
    await model.session.release()
    expect(count).toBe(texts.length)
    expect(meanCosine, mode).toBeGreaterThanOrEqual(promised[mode])
  }
}, 240_000)
