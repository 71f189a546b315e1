import { describe, expect, test } from 'vitest'
import { GraphBuilder } from '../../../src/graph/builder.ts'
import { joinNeighbours, rowsOf, vectorPart } from '../../../src/graph/matrix.ts'
import type { TensorDtype, TensorRef } from '../../../src/model/spec.ts'
import { fileTensor, runGraph } from './run-graph.ts'

const BYTES: Readonly<Record<TensorDtype, number>> = { F32: 4, F16: 2, BF16: 2, I8: 1, F8_E4M3: 1 }

/** A tensor at a place of its file. */
function at(byteOffset: number, shape: readonly number[], dtype: TensorDtype = 'F32'): TensorRef {
  const byteLength = shape.reduce((product, dim) => product * dim, BYTES[dtype])
  return { file: '/w/model.safetensors', byteOffset, byteLength, dtype, shape }
}

describe.each(Object.entries(BYTES) as [TensorDtype, number][])('of %s tensors', (dtype, size) => {
  test('rows are the bytes from their first to their last', () => {
    const rows = rowsOf({ values: at(100, [12, 5], dtype), scale: undefined }, 4, 3)
    expect(rows).toEqual({ values: at(100 + 4 * 5 * size, [3, 5], dtype), scale: undefined })
  })

  test('a part of a vector is its own numbers', () => {
    expect(vectorPart(at(7, [12], dtype), 8, 4)).toEqual(at(7 + 8 * size, [4], dtype))
  })

  test('blocks of rows one after the other join to what they were cut from', () => {
    const whole = at(40, [12, 5], dtype)
    const blocks = [0, 4, 8].map((from) => rowsOf({ values: whole, scale: undefined }, from, 4).values)
    expect(joinNeighbours(blocks)).toEqual(whole)
  })

  test('vectors one after the other join', () => {
    const second = at(6 * size, [2], dtype)
    expect(joinNeighbours([at(0, [6], dtype), second])).toEqual(at(0, [8], dtype))
  })
})

test('rows of int8 codes come with their own scales', () => {
  const { values, scale } = rowsOf({ values: at(16, [6, 4], 'I8'), scale: at(200, [6, 1], 'F16') }, 2, 3)
  expect(values).toEqual(at(16 + 2 * 4, [3, 4], 'I8'))
  expect(scale).toEqual(at(200 + 2 * 2, [3, 1], 'F16'))
})

test('rows of codes come with the scales of the blocks that they lie in', () => {
  const blocks = { rows: 4, columns: 2, rowsAbove: 0 }
  const whole = { values: at(16, [10, 4], 'F8_E4M3'), scale: at(200, [3, 2]), blocks }
  // rows 5 and 6 lie in the second block, rows 3 to 8 in all three
  expect(rowsOf(whole, 5, 2)).toEqual({
    values: at(16 + 5 * 4, [2, 4], 'F8_E4M3'),
    scale: at(200 + 8, [1, 2]),
    blocks: { ...blocks, rowsAbove: 1 },
  })
  const middle = rowsOf(whole, 3, 6)
  expect(middle).toMatchObject({ scale: at(200, [3, 2]), blocks: { rowsAbove: 3 } })
  // a part of a part: rows 8 of the whole
  expect(rowsOf(middle, 5, 1)).toMatchObject({ scale: at(200 + 16, [1, 2]), blocks: { rowsAbove: 0 } })
})

test('rows from the first on begin where the tensor begins', () => {
  expect(rowsOf({ values: at(9, [6, 4]), scale: undefined }, 0, 2).values).toEqual(at(9, [2, 4]))
})

test('one tensor is joined to itself, and none to nothing', () => {
  expect(joinNeighbours([at(8, [2, 3])])).toEqual(at(8, [2, 3]))
  expect(joinNeighbours([])).toBeUndefined()
})

const first = at(0, [2, 4])
test.each<[string, TensorRef]>([
  ['in another file', { ...at(32, [2, 4]), file: '/w/other.safetensors' }],
  ['behind a gap', at(36, [2, 4])],
  ['that overlaps', at(28, [2, 4])],
  ['that stands before', { ...at(0, [2, 4]), byteOffset: -32 }],
  ['of rows of another width', at(32, [2, 3])],
  ['of another rank', at(32, [8])],
  ['of another dtype', at(32, [2, 4], 'F16')],
])('a tensor %s is no neighbour', (_, second) => {
  expect(joinNeighbours([first, second])).toBeUndefined()
})

test('every part must be the neighbour of the one before it', () => {
  expect(joinNeighbours([first, at(32, [1, 4]), at(48, [3, 4])])).toEqual(at(0, [6, 4]))
  expect(joinNeighbours([first, at(32, [1, 4]), at(32, [3, 4])])).toBeUndefined()
  expect(joinNeighbours([at(32, [1, 4]), first])).toBeUndefined()
})

test('ONNX Runtime reads a block of rows beside the whole tensor that it begins', async () => {
  const whole = await fileTensor(
    Float32Array.from({ length: 12 }, (_, i) => i),
    [4, 3],
    20,
  )
  const b = new GraphBuilder()
  const parts = [0, 2].map((from) => rowsOf({ values: whole, scale: undefined }, from, 2).values)
  const [first, second] = parts as [TensorRef, TensorRef]
  const tables = [first, whole, second].map((ref) => b.tensor(ref))
  const graph = b.finish({ output: b.gather(b.concat(tables, 0), b.input('ids')) })
  const { data } = await runGraph(graph, [['ids', { data: Int32Array.of(1, 5, 6), dims: [3] }]])
  expect(data).toEqual([3, 4, 5, 9, 10, 11, 6, 7, 8])
})
