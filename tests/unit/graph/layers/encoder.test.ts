import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GraphBuilder } from '../../../../src/graph/builder.ts'
import { checkGraph } from '../../../../src/graph/check.ts'
import type { EncoderPlan } from '../../../../src/graph/layers/encoder-plan.ts'
import { buildEncoder } from '../../../../src/graph/layers/encoder.ts'
import { cpuF32 } from '../../../../src/graph/targets/cpu-f32.ts'
import { TensorTable } from '../../../../src/graph/tensor-table.ts'
import type { TensorRef } from '../../../../src/model/spec.ts'
import { layOut } from '../../../../src/runtime/feeds.ts'
import { makeFolder } from '../../model/model-folder.ts'
import type { BodyCase } from '../body-case.ts'
import { bodyCases, drawBody } from '../body-case.ts'
import { largestDifference, raggedBatch, splitRows } from '../ragged.ts'
import { runBatches } from '../run-graph.ts'
import { tinyBert } from '../tiny-bert.ts'
import { WeightFile } from '../weight-file.ts'

const KINDS: readonly (readonly [string, Partial<BodyCase>])[] = [
  ['norms after its steps', { order: 'post' }],
  ['norms before its steps', { order: 'pre' }],
  ['norms around its steps', { order: 'pre', outputNorms: true }],
  ['no norm before the first attention', { order: 'pre', firstNorm: false, repeated: false }],
  ['several projections in one tensor', { fused: true }],
  ['the same weights in both layers', { repeated: true }],
  ['gated steps', { gated: true }],
  ['plain steps', { gated: false }],
]

describe.each(KINDS)('a body with %s', (_, given) => {
  test('is the textbook’s, and gives a row of a batch what it gives the row alone', async () => {
    const folder = await makeFolder()
    const property = fc.asyncProperty(bodyCases(given), async (drawn) => {
      const { found, alone, expected } = await runBody(folder, drawn)
      expect(largestDifference(found, expected)).toBeLessThanOrEqual(2e-5)
      expect(largestDifference(found, alone)).toBeLessThanOrEqual(1e-6)
    })
    await fc.assert(property, { numRuns: 15 })
  })
})

async function runBody(folder: string, drawn: BodyCase) {
  const { lengths } = drawn
  const weights = new WeightFile(folder, { seed: drawn.seed, gap: 0 })
  const { plan, tensors, run } = drawBody(weights, drawn)
  await weights.write()
  const { graph, roles } = build(plan, tensors)
  const place = raggedBatch(lengths)
  const ids = splitRows(
    [...place.ids].map((t) => (7 * t + 3) % plan.vocabularySize),
    lengths,
  )
  const typeStarts = lengths.map((length) => Math.floor(length / 2))
  const batches = [lengths.map((_, row) => row), ...lengths.map((_, row) => [row])].map((rows) =>
    layOut(
      {
        ...raggedBatch(rows.map((row) => lengths[row] ?? 0)),
        ids: Int32Array.from(rows.flatMap((row) => ids[row] ?? [])),
        typeStarts: Int32Array.from(rows, (row) => typeStarts[row] ?? 0),
      },
      roles,
    ),
  )
  const [found = [], ...alone] = (await runBatches(graph, batches)).map(({ data }) => data)
  const expected = ids.flatMap((row, b) =>
    run(
      row,
      row.map((_, index) => (index < (typeStarts[b] ?? 0) ? 0 : 1)),
    ).flat(),
  )
  return { found, alone: alone.flat(), expected }
}

function build(plan: EncoderPlan, tensors: Readonly<Record<string, TensorRef>>) {
  const b = new GraphBuilder()
  const table = new TensorTable({ ...tinyBert(), tensors }, { prefixes: [''], probe: 'words.weight' })
  const graph = b.finish({
    output: buildEncoder({ b, tensors: table, kernels: cpuF32, headKernels: cpuF32 }, plan),
  })
  checkGraph(graph)
  expect(table.unused(/./, [])).toEqual([])
  return { graph, roles: b.roles }
}

test('a body without layers is its embeddings', async () => {
  const [drawn] = fc.sample(bodyCases({ order: 'post' }), 1)
  const { plan, tensors } = drawBody(new WeightFile('/nowhere', { seed: 1, gap: 0 }), drawn as BodyCase)
  const b = new GraphBuilder()
  const table = new TensorTable({ ...tinyBert(), tensors }, { prefixes: [''], probe: 'words.weight' })
  const states = buildEncoder(
    { b, tensors: table, kernels: cpuF32, headKernels: cpuF32 },
    { ...plan, layers: [] },
  )
  expect(states.shape).toEqual(['T', plan.hiddenSize])
  expect(b.roles).not.toContain('padded_rows')
})
