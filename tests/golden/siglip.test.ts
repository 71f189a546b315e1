/**
 * SigLIP, SigLIP 2 and jina-clip-v2: pictures and texts against transformers, or against a reference of our own where it has no
 * class, within 2e-5 for equal pixel values. The CUDA targets are interpreted, as in targets.test.ts.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildGraph } from '../../src/graph/build.ts'
import { buildTower } from '../../src/graph/build-tower.ts'
import type { CompiledGraph } from '../../src/graph/contract.ts'
import type { TargetName } from '../../src/graph/target.ts'
import { TARGETS } from '../../src/graph/target.ts'
import type { ModelSpec, TokenizerSpec } from '../../src/model/spec.ts'
import type { RaggedRow } from '../../src/runtime/runner.ts'
import { joinRows } from '../../src/runtime/runner.ts'
import { TokenizerThread } from '../../src/tokenize/tokenizer.ts'
import type { Distance } from '../interpreter/golden-distance.ts'
import { goldenDistance } from '../interpreter/golden-distance.ts'
import { openModel } from '../open-model.ts'
import { leftToCpu } from '../unit/graph/cuda-kernels.ts'
import type { MediaGolden } from './media-golden.ts'
import { openMediaGolden, runRows, textRow } from './media-golden.ts'

const TOLERANCE = 2e-5

/** About twice of what is measured, which is told beside it. */
const ROUNDED = {
  fp32: { difference: TOLERANCE, cosine: 1 - 1e-9 },
  fp16: { difference: 2e-2, cosine: 1 - 2e-4 },
  bf16: { difference: 1.7e-1, cosine: 1 - 1.2e-2 },
} as const satisfies Record<string, Distance>

const root = import.meta.dirname
const names = ['_siglip', '_jina_clip'].flatMap((family) =>
  readdirSync(join(root, family)).map((name) => `${family}/${name}`),
)
const tokenizers = new TokenizerThread()

afterAll(() => tokenizers.close())

test('there is a fixture of each kind', () => {
  expect(names).toEqual([
    '_siglip/siglip',
    '_siglip/siglip-vision',
    '_siglip/siglip2',
    '_jina_clip/jina-clip-v1',
    '_jina_clip/jina-clip-v2',
  ])
})

describe.each(names)('pictures of %s', (name) => {
  let golden: MediaGolden
  beforeAll(async () => {
    golden = await openMediaGolden(join(root, name))
  })

  test('have the reference’s vectors, each alone', async () => {
    const graph = buildTower(golden.spec, 'image', 'cpu-f32')
    expect(graph.maxTokens).toBeGreaterThanOrEqual(Math.max(...golden.rows.map(({ ids }) => ids.length)))
    for (const [index, row] of golden.rows.entries())
      expectClose((await runRows(graph, [row]))[0] ?? [], golden.images[index]?.vector ?? [])
  })

  test('have them in a batch', async () => {
    const graph = buildTower(golden.spec, 'image', 'cpu-f32')
    const vectors = await runRows(graph, [...golden.rows, ...golden.rows.toReversed()])
    const expected = golden.images.map(({ vector }) => vector)
    for (const [index, vector] of [...expected, ...expected.toReversed()].entries())
      expectClose(vectors[index] ?? [], vector)
  })

  test('and texts need all tensors but what compares the two', () => {
    const unused = new Set(buildTower(golden.spec, 'image', 'cpu-f32').unusedTensors)
    const ofTexts = golden.texts.length > 0 ? buildGraph(golden.spec, 'cpu-f32').unusedTensors : [...unused]
    const left = ofTexts.filter((tensor) => unused.has(tensor))
    expect(left.filter((tensor) => !/^logit_(scale|bias)$/.test(tensor))).toEqual([])
  })

  test.each(Object.keys(TARGETS) as TargetName[])('mean the same on %s', (target) => {
    const numbers = golden.images.map(({ vector }) => vector)
    expectSame(golden.spec, buildTower(golden.spec, 'image', target), target, { rows: golden.rows, numbers })
  })
})

describe.each(names.filter((name) => !name.endsWith('-vision')))('texts of %s', (name) => {
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
          fill: settings?.fill,
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

  test('have them from the service, in one request', async () => {
    const { engine, close } = await openModel(join(root, name, 'model'))
    try {
      const texts = golden.texts.map(({ text }) => text)
      const { vectors, dimensions } = await engine.embed({ kind: 'embed', model: undefined, texts }, {})
      for (const [index, { vector }] of golden.texts.entries())
        expectClose([...vectors.subarray(index * dimensions, (index + 1) * dimensions)], vector)
    } finally {
      await close()
    }
  })

  test.each(['cuda-f32', 'cuda-f16', 'cuda-bf16'] as const)('mean the same on %s', (target) => {
    // Some of each kind: the interpreter is slow.
    const texts = golden.texts.filter(({ name }) => /word|limit|empty/.test(name))
    const rows = texts.map(({ ids }) => textRow(ids))
    const numbers = texts.map(({ vector }) => vector)
    expectSame(golden.spec, buildGraph(golden.spec, target), target, { rows, numbers })
  })
})

interface Asked {
  readonly rows: readonly RaggedRow[]
  readonly numbers: readonly (readonly number[])[]
}

/** Interpreted without rounding, which shows what the graph means; then as the target rounds. */
function expectSame(
  spec: ModelSpec,
  graph: CompiledGraph,
  target: TargetName,
  { rows, numbers }: Asked,
): void {
  const { provider, dtype } = TARGETS[target]
  if (provider === 'cuda') expect(leftToCpu(graph.graph)).toEqual([])
  const batch = {
    spec,
    batch: joinRows(rows),
    expected: numbers.map((vector) => ({ numbers: vector, from: 0 })),
    tokens: numbers.map(() => undefined),
  }
  const exact = goldenDistance(batch, graph, { rounding: dtype.endsWith('16') ? 'none' : 'declared' })
  expectWithin(exact, ROUNDED.fp32)
  expectWithin(goldenDistance(batch, graph), ROUNDED[dtype === 'int8' ? 'fp32' : dtype])
}

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length)
  const difference = Math.max(...expected.map((value, d) => Math.abs((actual[d] ?? NaN) - value)))
  expect(difference).toBeLessThanOrEqual(TOLERANCE)
}

function expectWithin({ difference, cosine }: Distance, bound: Distance): void {
  expect(difference).toBeLessThanOrEqual(bound.difference)
  expect(cosine).toBeGreaterThanOrEqual(bound.cosine)
}
