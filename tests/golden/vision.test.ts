/**
 * Towers that see pictures, and the texts of the same models, against transformers: vectors within 2e-5 for equal pixel
 * values. The CUDA targets are interpreted, as in targets.test.ts.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildGraph } from '../../src/graph/build.ts'
import { buildTower } from '../../src/graph/build-tower.ts'
import type { TargetName } from '../../src/graph/target.ts'
import { TARGETS } from '../../src/graph/target.ts'
import type { RaggedRow } from '../../src/runtime/runner.ts'
import { joinRows } from '../../src/runtime/runner.ts'
import type { TokenizerSpec } from '../../src/model/spec.ts'
import { TokenizerThread } from '../../src/tokenize/tokenizer.ts'
import type { Distance } from '../interpreter/golden-distance.ts'
import { goldenDistance } from '../interpreter/golden-distance.ts'
import { leftToCpu } from '../unit/graph/cuda-kernels.ts'
import type { MediaGolden } from './media-golden.ts'
import { openMediaGolden, runRows, textRow } from './media-golden.ts'

const TOLERANCE = 2e-5

/** About twice of what is measured, which is told beside it. */
const ROUNDED = {
  fp32: { difference: TOLERANCE, cosine: 1 - 1e-9 }, // 5.5e-7, 4.7e-13
  fp16: { difference: 2e-3, cosine: 1 - 5e-6 }, // 8.5e-4, 2.4e-6
  bf16: { difference: 2e-2, cosine: 1 - 6e-4 }, // 1.0e-2, 2.8e-4
} as const satisfies Record<string, Distance>

const root = join(import.meta.dirname, '_vision')
const names = readdirSync(root)
const tokenizers = new TokenizerThread()
const worst = new Map<string, Distance>()

afterAll(async () => {
  await tokenizers.close()
  const rows = [...worst].map(([name, { difference, cosine }]) => [
    name,
    { 'max abs diff': difference.toExponential(1), '1 − cosine': (1 - cosine).toExponential(1) },
  ])
  console.table(Object.fromEntries(rows))
})

test('there are towers of every family', () => {
  const families = new Set(names.map((name) => name.split('-')[0]))
  expect([...families]).toEqual(['clip', 'dinov2', 'vit'])
})

describe.each(names)('%s', (name) => {
  let golden: MediaGolden
  let rows: readonly RaggedRow[]
  beforeAll(async () => {
    golden = await openMediaGolden(join(root, name))
    rows = golden.rows
  })

  test('gives each picture its vector, alone', async () => {
    const graph = buildTower(golden.spec, 'image', 'cpu-f32')
    expect(graph.vectorWidth).toBe(golden.dimensions)
    expect(graph.maxTokens).toBe(rows[0]?.ids.length)
    for (const [index, row] of rows.entries()) {
      const [vector] = await runRows(graph, [row])
      expectClose(vector ?? [], golden.images[index]?.vector ?? [])
    }
  })

  test('gives pictures of a batch what it gives each alone', async () => {
    const vectors = await runRows(buildTower(golden.spec, 'image', 'cpu-f32'), [
      ...rows,
      ...rows.toReversed(),
    ])
    const expected = golden.images.map(({ vector }) => vector)
    for (const [index, vector] of [...expected, ...expected.toReversed()].entries())
      expectClose(vectors[index] ?? [], vector)
  })

  test('knows all tensors of its sides', () => {
    const unused = new Set(buildTower(golden.spec, 'image', 'cpu-f32').unusedTensors)
    const ofTexts = golden.texts.length > 0 ? buildGraph(golden.spec, 'cpu-f32').unusedTensors : [...unused]
    const left = ofTexts.filter((tensor) => unused.has(tensor))
    expect(
      left.filter((tensor) => !/^(logit_scale|pooler\..*|embeddings\.mask_token)$/.test(tensor)),
    ).toEqual([])
  })

  test.each(Object.keys(TARGETS) as TargetName[])('means the same on %s', (target) => {
    const { provider, dtype } = TARGETS[target]
    const graph = buildTower(golden.spec, 'image', target)
    if (provider === 'cuda') expect(leftToCpu(graph.graph)).toEqual([])
    const expected = golden.images.map(({ vector }) => ({ numbers: vector, from: 0 }))
    const batch = {
      spec: golden.spec,
      batch: joinRows(rows),
      expected,
      tokens: expected.map(() => undefined),
    }
    const exact = goldenDistance(batch, graph, { rounding: dtype.endsWith('16') ? 'none' : 'declared' })
    expectWithin(exact, ROUNDED.fp32)
    const rounded = goldenDistance(batch, graph)
    remember(target, rounded)
    expectWithin(rounded, ROUNDED[dtype === 'int8' ? 'fp32' : dtype])
  })
})

describe.each(names.filter((name) => name.startsWith('clip')))('texts of %s', (name) => {
  let golden: MediaGolden
  beforeAll(async () => {
    golden = await openMediaGolden(join(root, name))
  })

  test('are read as by the reference', async () => {
    const { tokenizer: settings } = golden.spec
    const tokenizer = await tokenizers.open(settings as TokenizerSpec)
    for (const { name, text, ids } of golden.texts) {
      const rows = await tokenizer.texts(
        [text],
        { text: '', pooled: true },
        {
          noun: 'text',
          firstIndex: 0,
          truncate: 'right',
          maxTokens: settings?.maxTokens ?? 0,
          vocabularySize: Infinity,
        },
      )
      expect([...rows.ids], name).toEqual(ids)
    }
  })

  test('have the reference’s vectors, alone and in a batch', async () => {
    const graph = buildGraph(golden.spec, 'cpu-f32')
    const rows = golden.texts.map(({ ids }) => textRow(ids))
    const vectors = await runRows(graph, rows)
    for (const [index, { vector }] of golden.texts.entries()) {
      expectClose(vectors[index] ?? [], vector)
      expectClose((await runRows(graph, rows.slice(index, index + 1)))[0] ?? [], vector)
    }
  })

  test.each(['cuda-f32', 'cuda-f16', 'cuda-bf16'] as const)('mean the same on %s', (target) => {
    const graph = buildGraph(golden.spec, target)
    expect(leftToCpu(graph.graph)).toEqual([])
    // Some of each kind: the interpreter is slow.
    const texts = golden.texts.filter(({ name }) => /word|limit|end|later|empty/.test(name))
    const expected = texts.map(({ vector }) => ({ numbers: vector, from: 0 }))
    const batch = {
      spec: golden.spec,
      batch: joinRows(texts.map(({ ids }) => textRow(ids))),
      expected,
      tokens: expected.map(() => undefined),
    }
    const half = target !== 'cuda-f32'
    expectWithin(goldenDistance(batch, graph, { rounding: half ? 'none' : 'declared' }), ROUNDED.fp32)
    const rounded = goldenDistance(batch, graph)
    remember(`${target} texts`, rounded)
    expectWithin(rounded, ROUNDED[TARGETS[target].dtype])
  })
})

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length)
  const difference = Math.max(...expected.map((value, d) => Math.abs((actual[d] ?? NaN) - value)))
  expect(difference).toBeLessThanOrEqual(TOLERANCE)
}

function expectWithin({ difference, cosine }: Distance, bound: Distance): void {
  expect(difference).toBeLessThanOrEqual(bound.difference)
  expect(cosine).toBeGreaterThanOrEqual(bound.cosine)
}

function remember(name: string, { difference, cosine }: Distance): void {
  const known = worst.get(name) ?? { difference: 0, cosine: 1 }
  worst.set(name, {
    difference: Math.max(known.difference, difference),
    cosine: Math.min(known.cosine, cosine),
  })
}
