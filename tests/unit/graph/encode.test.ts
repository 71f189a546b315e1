import { expect, test } from 'vitest'
import { GraphBuilder } from '../../../src/graph/builder.ts'
import { checkGraph } from '../../../src/graph/check.ts'
import { encodeGraph } from '../../../src/graph/encode.ts'
import type { Attribute, Dtype, Graph, GraphNode, Initializer, Value } from '../../../src/graph/ir.ts'
import { ONNX_TYPES } from '../../../src/graph/ir.ts'
import type { TensorRef } from '../../../src/model/spec.ts'
import { readOnnx } from './read-onnx.ts'
import { fileTensor, runGraph } from './run-graph.ts'

const EMPTY: Graph = { inputs: [], initializers: [], nodes: [], outputs: [] }

function value(name: string, dtype: Dtype, ...shape: readonly (number | string)[]): Value {
  return { name, dtype, shape }
}

function decode(graph: Partial<Graph>) {
  return readOnnx(encodeGraph({ ...EMPTY, ...graph }))
}

function node(
  op: string,
  inputs: readonly string[],
  output: Value,
  attributes: GraphNode['attributes'] = {},
): GraphNode {
  return { op, inputs, attributes, outputs: [output] }
}

/** What becomes of one attribute. */
function attribute(of: Attribute) {
  return decode({ nodes: [node('Relu', ['x'], value('y', 'f32'), { of })] }).nodes[0]?.attributes['of']
}

test('a model names its versions, its producer and both operator sets', () => {
  const { irVersion, producer, opsets, name } = decode({})
  expect({ irVersion, producer, name }).toEqual({
    irVersion: 10,
    producer: 'runpod-worker-embeddings',
    name: 'model',
  })
  expect(opsets).toEqual([
    { domain: '', version: 21 },
    { domain: 'com.microsoft', version: 1 },
  ])
})

test('a node keeps its operator, its operands in order, and its output, after which it is named', () => {
  const { nodes } = decode({
    nodes: [
      node('Add', ['left', 'right'], value('sum', 'f32', 'T', 4)),
      node('MultiHeadAttention', ['q', 'k', 'v', '', 'lengths'], value('context', 'f32', 'B', 'S', 4)),
    ],
  })
  expect(nodes).toEqual([
    { op: 'Add', domain: '', name: 'sum', inputs: ['left', 'right'], outputs: ['sum'], attributes: {} },
    {
      op: 'MultiHeadAttention',
      domain: 'com.microsoft',
      name: 'context',
      inputs: ['q', 'k', 'v', '', 'lengths'],
      outputs: ['context'],
      attributes: {},
    },
  ])
})

test('inputs that are left out at the end are not written, those before others as empty names', () => {
  const inputs = (...names: readonly string[]) =>
    decode({ nodes: [node('Gemm', names, value('y', 'f32'))] }).nodes[0]?.inputs
  expect(inputs('x', '', 'b', '', '')).toEqual(['x', '', 'b'])
  expect(inputs('', '')).toEqual([])
})

test('ONNX Runtime runs a norm whose bias is left out', async () => {
  const b = new GraphBuilder()
  const x = b.gather(b.tensor(await fileTensor(Float32Array.of(1, 3), [1, 2])), b.input('ids'))
  const weight = b.constant(Float32Array.of(2, 5), [2])
  const graph = b.finish({ output: b.node('LayerNormalization', [x, weight, undefined]) })
  const { data } = await runGraph(graph, [['ids', { data: Int32Array.of(0), dims: [1] }]])
  expect(data[0]).toBeCloseTo(-2, 4)
  expect(data[1]).toBeCloseTo(5, 4)
})

test('outputs of a node keep their order, an unused one an empty name, and the first names the node', () => {
  const outputs = ['first', '', 'third'].map((name) => value(name, 'f32', 'T', 2))
  const { nodes } = decode({
    nodes: [{ op: 'SkipLayerNormalization', inputs: ['x'], attributes: {}, outputs }],
  })
  expect(nodes).toMatchObject([{ name: 'first', outputs: ['first', '', 'third'] }])
})

test('attributes keep their kind and value', () => {
  expect(attribute({ float: 0.5 })).toEqual({ type: 1, float: 0.5 })
  expect(attribute({ float: 1e-12 })).toEqual({ type: 1, float: Math.fround(1e-12) })
  expect(attribute({ int: 0 })).toEqual({ type: 2, int: 0n })
  expect(attribute({ int: 300 })).toEqual({ type: 2, int: 300n })
  expect(attribute({ string: 'tanh – über' })).toEqual({ type: 3, string: 'tanh – über' })
  expect(attribute({ ints: [3, 0, 129] })).toEqual({ type: 7, ints: [3n, 0n, 129n] })
})

test('negative integers keep their sign', () => {
  expect(attribute({ int: -1 })).toEqual({ type: 2, int: -1n })
  expect(attribute({ ints: [-(2 ** 40), 7, -128] })).toEqual({ type: 7, ints: [-(2n ** 40n), 7n, -128n] })
})

test('several attributes of a node keep their names', () => {
  const attributes = { axis: { int: -1 }, epsilon: { float: 0.25 } }
  const { nodes } = decode({ nodes: [node('LayerNormalization', ['x'], value('y', 'f32'), attributes)] })
  expect(nodes[0]?.attributes).toEqual({ axis: { type: 2, int: -1n }, epsilon: { type: 1, float: 0.25 } })
})

test('inputs and outputs keep type and shape, letters as names and a scalar as rank 0', () => {
  const { inputs, outputs } = decode({
    inputs: [value('ids', 'i32', 'T'), value('max_length', 'i32'), value('m', 'f32', 'B*S', 384)],
    outputs: [value('output', 'f32', 'B', 70_000)],
  })
  expect(inputs).toEqual([
    { name: 'ids', type: 6, dims: ['T'] },
    { name: 'max_length', type: 6, dims: [] },
    { name: 'm', type: 1, dims: ['B*S', 384] },
  ])
  expect(outputs).toEqual([{ name: 'output', type: 1, dims: ['B', 70_000] }])
})

test('every dtype has its number of onnx.proto', () => {
  // TensorProto.DataType of onnx.proto
  expect(ONNX_TYPES).toEqual({ f32: 1, u8: 2, i8: 3, i32: 6, i64: 7, bool: 9, f16: 10, bf16: 16 })
})

test('a constant is carried as raw bytes', () => {
  const source = Uint8Array.of(1, 0, 0, 0, 255, 255, 255, 255)
  const { initializers } = decode({ initializers: [{ value: value('c', 'i32', 2), source }] })
  expect(initializers).toEqual([{ name: 'c', type: 6, dims: [2], raw: source, location: 0, external: {} }])
})

test('a tensor of a file is named by path, offset and length, and none of it is carried', () => {
  const source: TensorRef = {
    file: '/modèles/a b/model.safetensors',
    byteOffset: 5_000_000_000,
    byteLength: 512,
    dtype: 'F16',
    shape: [2, 128],
  }
  const { initializers } = decode({ initializers: [{ value: value('w', 'f16', 2, 128), source }] })
  const external = { location: 'modèles/a b/model.safetensors', offset: '5000000000', length: '512' }
  expect(initializers).toEqual([
    { name: 'w', type: 10, dims: [2, 128], raw: undefined, location: 1, external },
  ])
})

test('ONNX Runtime runs a graph with a weight in a file, a constant and an attribute', async () => {
  const weight: Initializer = {
    value: value('w', 'f32', 2, 3),
    source: await fileTensor(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3], 12),
  }
  const bias: Initializer = {
    value: value('b', 'f32', 2),
    source: new Uint8Array(Float32Array.of(10, -100).buffer),
  }
  const y = value('y', 'f32', 'T', 2)
  const graph: Graph = {
    inputs: [value('x', 'f32', 'T', 3)],
    initializers: [weight, bias],
    nodes: [
      node('Gemm', ['x', 'w', 'b'], value('g', 'f32', 'T', 2), { transB: { int: 1 } }),
      node('Relu', ['g'], y),
    ],
    outputs: [y],
  }
  const x = { data: Float32Array.of(1, 0, 0, 1, 1, 10), dims: [2, 3] }
  // row 0: 1 + 10, max(0, 4 − 100); row 1: 1 + 2 + 30 + 10, max(0, 4 + 5 + 60 − 100)
  expect(await runGraph(graph, [['x', x]])).toEqual({ dims: [2, 2], data: [11, 0, 43, 0] })
})

test('ONNX Runtime runs int8 codes of a file at an odd offset, with a negative axis and optional inputs left out', async () => {
  const codes: Initializer = {
    value: value('codes', 'i8', 3, 2),
    source: await fileTensor(Int8Array.of(1, -2, 3, 4, -128, 127), [3, 2], 7),
  }
  const y = value('y', 'f32', 'T', 2)
  const graph: Graph = {
    inputs: [value('ids', 'i32', 'T')],
    initializers: [codes],
    nodes: [
      node('Gather', ['codes', 'ids'], value('rows', 'i8', 'T', 2), { axis: { int: 0 } }),
      node('Cast', ['rows'], value('floats', 'f32', 'T', 2), { to: { int: ONNX_TYPES.f32 } }),
      node('LpNormalization', ['floats'], value('unit', 'f32', 'T', 2), { axis: { int: -1 }, p: { int: 2 } }),
      node('QuickGelu', ['unit'], y, { alpha: { float: 0 } }),
    ],
    outputs: [y],
  }
  const ids = { data: Int32Array.of(1, 0), dims: [2] }
  const { dims, data } = await runGraph(graph, [['ids', ids]])
  // x · σ(0 · x) is half of x; (3, 4) has length 5 and (1, −2) the root of 5
  expect(dims).toEqual([2, 2])
  const expected = [3 / 5, 4 / 5, 1 / Math.sqrt(5), -2 / Math.sqrt(5)].map((x) => x / 2)
  for (const [index, number] of expected.entries()) expect(data[index]).toBeCloseTo(number, 6)
})

test.each([
  ['in the middle', [0, 2], [1, 2, 5, 6]],
  ['at the end', [0, 1], [1, 2, 3, 4]],
  ['at the start', [1, 2], [3, 4, 5, 6]],
])('ONNX Runtime runs a Split whose part %s nobody uses', async (_, used, expected) => {
  const b = new GraphBuilder()
  const table = b.tensor(await fileTensor(Float32Array.of(1, 2, 3, 4, 5, 6), [1, 6]))
  const x = b.gather(table, b.input('ids'))
  const parts = b.outputs('Split', [x], { axis: { int: 1 }, num_outputs: { int: 3 } })
  const graph = b.finish({
    output: b.concat(
      used.map((index) => parts[index] as Value),
      1,
    ),
  })
  checkGraph(graph)
  expect(await runGraph(graph, [['ids', { data: Int32Array.of(0), dims: [1] }]])).toEqual({
    dims: [1, 4],
    data: expected,
  })
})

test('ONNX Runtime runs a norm whose sum alone is used', async () => {
  const b = new GraphBuilder()
  const x = b.gather(b.tensor(await fileTensor(Float32Array.of(1, 2, 3, 4), [1, 4])), b.input('ids'))
  const weight = b.constant(new Float32Array(4).fill(1), [4])
  const outputs = b.outputs('SkipLayerNormalization', [x, x, weight], { epsilon: { float: 1e-5 } })
  const graph = b.finish({ output: outputs[3] as Value })
  checkGraph(graph)
  const { data } = await runGraph(graph, [['ids', { data: Int32Array.of(0), dims: [1] }]])
  expect(data).toEqual([2, 4, 6, 8])
})
