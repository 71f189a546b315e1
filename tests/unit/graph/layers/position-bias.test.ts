import { expect, test } from 'vitest'
import { GraphBuilder } from '../../../../src/graph/builder.ts'
import { checkGraph } from '../../../../src/graph/check.ts'
import type { Shape, Value } from '../../../../src/graph/ir.ts'
import type { BiasPlan } from '../../../../src/graph/layers/encoder-plan.ts'
import { positionBias, windowBias } from '../../../../src/graph/layers/position-bias.ts'
import { TensorTable } from '../../../../src/graph/tensor-table.ts'
import type { TensorRef } from '../../../../src/model/spec.ts'
import { fileTensor, runGraph } from '../run-graph.ts'
import { ref, tinyBert } from '../tiny-bert.ts'

function tableOf(tensors: Readonly<Record<string, TensorRef>>): TensorTable {
  return new TensorTable(
    { ...tinyBert(), tensors: { 'w.weight': ref([1, 1]), ...tensors } },
    { prefixes: [''], probe: 'w.weight' },
  )
}

/** The numbers of a bias for rows of up to four tokens, one line for each token that looks. */
async function linesOf(shape: Shape, make: (b: GraphBuilder) => Value): Promise<number[][]> {
  const b = new GraphBuilder()
  const output = make(b)
  expect(output).toMatchObject({ dtype: 'f32', shape })
  const graph = b.finish({ output })
  checkGraph(graph)
  expect(b.roles).toEqual(['steps'])
  const steps = { data: Int32Array.of(0, 1, 2, 3), dims: [4] }
  const { dims, data } = await runGraph(graph, [['steps', steps]])
  expect(dims).toEqual([1, shape[1], 4, 4])
  return Array.from({ length: data.length / 4 }, (_, line) => data.slice(4 * line, 4 * line + 4))
}

test.each([
  [0, ['x...', '.x..', '..x.', '...x']],
  [1, ['xx..', 'xxx.', '.xxx', '..xx']],
  [3, ['xxxx', 'xxxx', 'xxxx', 'xxxx']],
  [9, ['xxxx', 'xxxx', 'xxxx', 'xxxx']],
])('a window of %i adds nothing to what is that near, and hides the rest', async (window, seen) => {
  const lines = await linesOf([1, 1, 'S', 'S'], (b) => windowBias(b, window, -1e9))
  const expected = seen.map((line) => Array.from(line, (mark) => (mark === 'x' ? 0 : -1e9)))
  expect(lines).toEqual(expected.map((line) => line.map(Math.fround)))
})

test('slopes take off more the farther away a token is, both ways, each head by its own', async () => {
  const plan: BiasPlan = { kind: 'alibi', slopes: [0.5, 2] }
  const lines = await linesOf([1, 2, 'S', 'S'], (b) => positionBias(b, plan, 2, tableOf({})))
  expect(lines.map((line) => line.map((x) => x + 0))).toEqual([
    [0, -0.5, -1, -1.5],
    [-0.5, 0, -0.5, -1],
    [-1, -0.5, 0, -0.5],
    [-1.5, -1, -0.5, 0],
    [0, -2, -4, -6],
    [-2, 0, -2, -4],
    [-4, -2, 0, -2],
    [-6, -4, -2, 0],
  ])
})

/** Buckets of −2 and before, −1, 0, 1, 2 and after. */
const RELATIVE: BiasPlan = {
  kind: 'relative',
  table: { name: 'bias', rows: 5 },
  bucketOf: (distance) => distance + 2,
  maxDistance: 2,
}

const RELATIVE_LINES = [
  [3, 4, 5, 5],
  [2, 3, 4, 5],
  [1, 2, 3, 4],
  [1, 1, 2, 3],
]

test('a relative bias is the number of the bucket and the head, counted from the token that looks', async () => {
  const table = await fileTensor(Float32Array.of(1, -1, 2, -2, 3, -3, 4, -4, 5, -5), [5, 2])
  const tensors = tableOf({ 'bias.weight': table })
  const lines = await linesOf([1, 2, 'S', 'S'], (b) => positionBias(b, RELATIVE, 2, tensors))
  expect(lines).toEqual([...RELATIVE_LINES, ...RELATIVE_LINES.map((line) => line.map((x) => -x))])
})

test('a relative bias of int8 codes is scaled', async () => {
  const tensors = tableOf({
    'bias.weight': await fileTensor(Int8Array.of(2, 4, 6, 8, 10), [5, 1]),
    'bias.weight_scale': await fileTensor(new Float32Array(5).fill(0.5), [5, 1]),
  })
  const lines = await linesOf([1, 1, 'S', 'S'], (b) => positionBias(b, RELATIVE, 1, tensors))
  expect(lines).toEqual(RELATIVE_LINES)
})

test('layers share one bias of the same kind, and have their own of others', () => {
  const b = new GraphBuilder()
  const tensors = tableOf({ 'bias.weight': ref([5, 2]) })
  const slopes: BiasPlan = { kind: 'alibi', slopes: [0.5, 2] }
  for (const plan of [RELATIVE, slopes])
    expect(positionBias(b, plan, 2, tensors)).toBe(positionBias(b, plan, 2, tensors))
  expect(windowBias(b, 3, -1)).toBe(windowBias(b, 3, -1))
  expect(windowBias(b, 3, -1)).not.toBe(windowBias(b, 4, -1))
  const others: BiasPlan = { kind: 'alibi', slopes: [0.5, 1] }
  expect(positionBias(b, slopes, 2, tensors)).not.toBe(positionBias(b, others, 2, tensors))
})
