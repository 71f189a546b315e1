import { describe, expect, test } from 'vitest'
import { GraphBuilder } from '../../../../src/graph/builder.ts'
import { checkGraph } from '../../../../src/graph/check.ts'
import { resizeGrid, sideWeights } from '../../../../src/graph/layers/patch-positions.ts'
import { runGraph } from '../run-graph.ts'

/** torch 2.15, interpolate(mode="bicubic", align_corners=False) of the unit vectors. */
describe('the places of a side get of the old ones what torch gives them', () => {
  test.each([
    [
      'fewer',
      [5, 3, false],
      [
        [0.685185, 0.37037, -0.055555, 0, 0],
        [0, 0, 1, 0, 0],
        [0, 0, -0.055556, 0.370371, 0.685185],
      ],
    ],
    [
      'fewer, averaged',
      [5, 3, true],
      [
        [0.584615, 0.446154, 0, -0.030769, 0],
        [-0.037209, 0.246512, 0.581395, 0.246512, -0.037209],
        [0, -0.030769, 0, 0.446154, 0.584615],
      ],
    ],
    [
      'more',
      [3, 5, false],
      [
        [1.096, -0.096, 0],
        [0.612, 0.46, -0.072],
        [0, 1, 0],
        [-0.072, 0.46, 0.612],
        [0, -0.096, 1.096],
      ],
    ],
    [
      'more, averaged',
      [3, 5, true],
      [
        [1.075472, -0.075472, 0],
        [0.649254, 0.395522, -0.044776],
        [0, 1, 0],
        [-0.044776, 0.395522, 0.649254],
        [0, -0.075472, 1.075472],
      ],
    ],
  ] as const)('%s', (_, [from, to, antialias], expected) => {
    expectClose([...sideWeights(from, to, antialias)], expected.flat())
  })

  test('the same number, as they are', () => {
    for (const antialias of [false, true]) expect([...sideWeights(2, 2, antialias)]).toEqual([1, 0, 0, 1])
  })
})

/** torch 2.15, of two channels on a grid of two lines and three columns. */
test.each([
  [false, [0.9691, 3.1843, 2.2344, 5.873, 3.4997, 8.5618]],
  [true, [1.1203, 3.0547, 2.4045, 5.5104, 3.6886, 7.9661]],
])('a grid has its lines and columns resized, averaged: %s', async (antialias, expected) => {
  const rows = [1, 2, 4, 3, 5, 9].flatMap((value) => [value, 10 * value])
  const b = new GraphBuilder()
  const table = b.constant(Float32Array.from(rows), [6, 2])
  const [from, to] = [
    { height: 2, width: 3 },
    { height: 3, width: 2 },
  ]
  const resized = resizeGrid(b, table, { from, to, antialias })
  expect(resized.shape).toEqual([6, 2])
  const graph = b.finish({ output: b.gather(resized, b.input('positions')) })
  checkGraph(graph)
  const positions = { data: Int32Array.from({ length: 6 }, (_, place) => place), dims: [6] }
  const { data } = await runGraph(graph, [['positions', positions]])
  expectClose(
    data,
    expected.flatMap((value) => [value, 10 * value]),
    6e-4,
  )
})

function expectClose(actual: readonly number[], expected: readonly number[], tolerance = 2e-6): void {
  expect(actual.length).toBe(expected.length)
  for (const [index, value] of expected.entries())
    expect(Math.abs((actual[index] ?? NaN) - value), `number ${index}`).toBeLessThanOrEqual(tolerance)
}
