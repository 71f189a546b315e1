import { expect, test } from 'vitest'
import { GraphBuilder } from '../../../../src/graph/builder.ts'
import { checkGraph } from '../../../../src/graph/check.ts'
import { rotaryTables } from '../../../../src/graph/layers/rotary.ts'
import { runGraph } from '../run-graph.ts'

test.each([
  ['as they are', undefined, 1],
  ['times a magnitude', 1.25, 1.25],
])('tables are cosine and sine of position × frequency, %s', async (_, magnitude, factor) => {
  const frequencies = [1, 0.1, 0.01]
  const b = new GraphBuilder()
  const { cos, sin } = rotaryTables(b, { frequencies, ...(magnitude !== undefined && { magnitude }) })
  for (const table of [cos, sin]) expect(table).toMatchObject({ dtype: 'f32', shape: ['S', 3] })
  const graph = b.finish({ output: b.concat([cos, sin], 1) })
  checkGraph(graph)
  const steps = { data: Int32Array.of(0, 1, 2, 500), dims: [4] }
  const { data } = await runGraph(graph, [['steps', steps]])
  const expected = [0, 1, 2, 500].flatMap((position) =>
    [Math.cos, Math.sin].flatMap((wave) => frequencies.map((rate) => factor * wave(position * rate))),
  )
  // float32 knows the angle 500 × 0.1 to about 2e-6
  for (const [index, number] of expected.entries())
    expect(Math.abs((data[index] ?? NaN) - number)).toBeLessThan(5e-6)
})

test('layers share the tables of the same plan, and have their own of another', () => {
  const b = new GraphBuilder()
  const plan = { frequencies: [1, 0.5] }
  const first = rotaryTables(b, plan)
  expect(rotaryTables(b, { ...plan, magnitude: 1 })).toEqual(first)
  const others = [rotaryTables(b, { frequencies: [1, 0.25] }), rotaryTables(b, { ...plan, magnitude: 2 })]
  for (const { cos, sin } of others) {
    expect(cos).not.toBe(first.cos)
    expect(sin).not.toBe(first.sin)
  }
})
