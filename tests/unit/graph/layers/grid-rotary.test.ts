import { expect, test } from 'vitest'
import { GraphBuilder } from '../../../../src/graph/builder.ts'
import { checkGraph } from '../../../../src/graph/check.ts'
import { gridRotaryTables } from '../../../../src/graph/layers/grid-rotary.ts'
import { runGraph } from '../run-graph.ts'

const PLAN = { side: 3, leading: 1, frequencies: [1, 0.1], step: 1.5 }

test('half of a head turns by the line of a patch and half by its column; what stands before the patches does not', async () => {
  const b = new GraphBuilder()
  const { cos, sin, interleaved } = gridRotaryTables(b, PLAN)
  expect(interleaved).toBe(true)
  for (const table of [cos, sin]) expect(table).toMatchObject({ dtype: 'f32', shape: ['S', 4] })
  const graph = b.finish({ output: b.concat([cos, sin], 1) })
  checkGraph(graph)
  const steps = Int32Array.of(0, 1, 2, 6, 9)
  const { data } = await runGraph(graph, [['steps', { data: steps, dims: [5] }]])
  const places = [
    [0, 0],
    [0, 0],
    [0, 1],
    [1, 2],
    [2, 2],
  ] as const
  const expected = places.flatMap(([line, column]) => {
    const angles = [line, line * 0.1, column, column * 0.1].map((angle) => 1.5 * angle)
    return [...angles.map(Math.cos), ...angles.map(Math.sin)]
  })
  expect(data).toHaveLength(expected.length)
  for (const [index, number] of expected.entries()) expect(data[index]).toBeCloseTo(number, 6)
})

test('rows may be rounded up beyond the tokens of a picture', async () => {
  const b = new GraphBuilder()
  const graph = b.finish({ output: gridRotaryTables(b, PLAN).cos })
  const steps = Int32Array.from({ length: 64 }, (_, step) => step)
  const { data } = await runGraph(graph, [['steps', { data: steps, dims: [64] }]])
  expect(data.slice(10 * 4)).toEqual(Array(54 * 4).fill(1))
})

test('layers share the tables of the same plan', () => {
  const b = new GraphBuilder()
  const first = gridRotaryTables(b, PLAN)
  expect(gridRotaryTables(b, { ...PLAN })).toEqual(first)
  expect(gridRotaryTables(b, { ...PLAN, step: 1 }).cos).not.toBe(first.cos)
})
