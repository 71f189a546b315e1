/** Adapters in files of their own: on every target the numbers of the CPU, which the golden fixtures hold to the reference. */
import { expect, test } from 'vitest'
import { buildGraph } from '../../../src/graph/build.ts'
import { OUTPUT } from '../../../src/graph/contract.ts'
import type { TargetName } from '../../../src/graph/target.ts'
import { openFolder } from '../../../src/model/open-folder.ts'
import type { LowRank, ModelSpec } from '../../../src/model/spec.ts'
import { layOut } from '../../../src/runtime/feeds.ts'
import type { RaggedRow } from '../../../src/runtime/runner.ts'
import { NO_ADAPTER, joinRows } from '../../../src/runtime/runner.ts'
import { prepare } from '../../interpreter/interpret.ts'
import { expectRefusal } from '../model/expect-refusal.ts'
import { fixturePath } from '../model/model-folder.ts'
import { largestDifference } from './ragged.ts'

const FIXTURES = ['jina_flash/jina-v3-folders', 'jina_flash/jina-v3-folders-renamed'] as const
/** A vector and, behind it, the length that it had. */
const WIDTH = 33

function run(spec: ModelSpec, target: TargetName, rows: readonly RaggedRow[]): number[] {
  const compiled = buildGraph(spec, target)
  const feeds = layOut(joinRows(rows), compiled.inputs, compiled)
  return [...(prepare(compiled.graph, 'none')(feeds).get(OUTPUT)?.data ?? [])]
}

/** The same text through each adapter and none, and others between. */
const ROWS: readonly RaggedRow[] = [1, NO_ADAPTER, 0, 3, 2, 4, NO_ADAPTER].map((adapter, index) => ({
  ids: Int32Array.from(index === 6 ? [0, 7, 2] : [0, 30, 31, 7, 9, 2]),
  typeStart: 6,
  unpooledTokens: 0,
  adapter,
  wantsTokens: false,
}))

async function open(fixture: string = FIXTURES[0]): Promise<ModelSpec> {
  return openFolder(fixturePath(fixture))
}

function withPart(spec: ModelSpec, layer: string, change: (part: LowRank) => Partial<LowRank>): ModelSpec {
  const [first = {}, ...others] = spec.adapterParts ?? []
  const part = first[layer] as LowRank
  return { ...spec, adapterParts: [{ ...first, [layer]: { ...part, ...change(part) } }, ...others] }
}

test.each(FIXTURES)('each row of a batch has the numbers that it has alone, of %s', async (fixture) => {
  const spec = await open(fixture)
  const alone = ROWS.flatMap((row) => run(spec, 'cpu-f32', [row]))
  expect(alone).toHaveLength(ROWS.length * WIDTH)
  expect(largestDifference(run(spec, 'cpu-f32', ROWS), alone)).toBeLessThan(1e-6)
  // Of one text all adapters, and none, make something else.
  const vectors = ROWS.slice(0, 6).map((_, index) => alone.slice(index * WIDTH, (index + 1) * WIDTH))
  for (const [index, vector] of vectors.entries())
    for (const other of vectors.slice(index + 1))
      expect(largestDifference(vector, other)).toBeGreaterThan(0.01)
})

test.each(['cuda-f32', 'cuda-f16', 'cuda-bf16'] as const)('%s has the numbers of the CPU', async (target) => {
  const spec = await open()
  expect(largestDifference(run(spec, target, ROWS), run(spec, 'cpu-f32', ROWS))).toBeLessThan(1e-5)
})

test('a row without an adapter has the very numbers of the model without adapters', async () => {
  const spec = await open()
  const rows = ROWS.map((row) => ({ ...row, adapter: NO_ADAPTER }))
  const { adapterParts: _, ...plain } = spec
  expect(buildGraph(plain, 'cpu-f32').inputs).not.toContain('adapters')
  expect(run(spec, 'cpu-f32', rows)).toEqual(run(plain, 'cpu-f32', rows))
})

test('there are as many adapters as folders', async () => {
  expect(buildGraph(await open(), 'cpu-f32').adapterCount).toBe(5)
})

test('an adapter of the pooler, which nobody reads, is left out; one of an unknown layer is refused', async () => {
  const spec = await open()
  const [first = {}, ...others] = spec.adapterParts ?? []
  expect(first).toHaveProperty(['pooler.dense'])
  const moved = { ...first, 'layers.2.mlp.fc1': first['layers.1.mlp.fc1'] as LowRank }
  await expectRefusal(
    () => buildGraph({ ...spec, adapterParts: [moved, ...others] }, 'cpu-f32'),
    'model_invalid',
    'retrieval_query: layers.1.mlp.fc1',
    'no layer',
  )
})

test.each([
  ['layers.0.mlp.fc1', '[9, 32]', 'a layer of [48, 32]'],
  ['embeddings.word_embeddings', '[9, 400]', 'a table of [32, 400]'],
])('an adapter of %s with another width is refused', async (layer, is, asked) => {
  const wrong = withPart(await open(), layer, ({ up }) => ({ up: { ...up, shape: [9, 2] } }))
  await expectRefusal(() => buildGraph(wrong, 'cpu-f32'), 'model_invalid', layer, is, asked)
})

test('an adapter of a table for a layer is refused', async () => {
  const wrong = withPart(await open(), 'layers.0.mlp.fc1', () => ({ of: 'table' }))
  await expectRefusal(() => buildGraph(wrong, 'cpu-f32'), 'model_invalid', 'layers.0.mlp.fc1', 'a table of')
})
