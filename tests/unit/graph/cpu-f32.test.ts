import { describe, expect, test } from 'vitest'
import { GraphBuilder } from '../../../src/graph/builder.ts'
import { checkGraph } from '../../../src/graph/check.ts'
import type { Graph, GraphNode, Value } from '../../../src/graph/ir.ts'
import { cpuF32 } from '../../../src/graph/targets/cpu-f32.ts'
import type { Linear, Norm } from '../../../src/graph/tensor-table.ts'
import type { TensorDtype } from '../../../src/model/spec.ts'
import { attentionOf } from './attention-inputs.ts'
import { fileTensor, runGraph } from './run-graph.ts'
import { ref } from './tiny-bert.ts'

function linear(out: number, inputs: number, dtype: TensorDtype = 'F32'): Linear {
  const scale = dtype === 'I8' ? ref([out, 1]) : undefined
  return { weight: { values: ref([out, inputs], dtype), scale }, bias: ref([out]) }
}

/** Hidden states [T, width]. */
function states(b: GraphBuilder, width: number): Value {
  return cpuF32.lookup(b, { values: ref([50, width]), scale: undefined }, b.input('ids'))
}

function finish(b: GraphBuilder, output: Value): Graph {
  const graph = b.finish({ output })
  checkGraph(graph)
  return graph
}

function attend(width: number, heads: number, make = () => linear(width, width)) {
  const b = new GraphBuilder()
  const x = states(b, width)
  const inputs = attentionOf({ query: make(), key: make(), value: make(), heads, headWidth: width / heads })
  const output = cpuF32.attention(b, x, inputs)
  expect(output.shape).toEqual(['T', width])
  return { graph: finish(b, output), roles: b.roles }
}

function all(graph: Graph, op: string): GraphNode[] {
  return graph.nodes.filter((node) => node.op === op)
}

function valueOf(graph: Graph, name: string | undefined): Value | undefined {
  const made = [
    ...graph.nodes.flatMap(({ outputs }) => outputs),
    ...graph.initializers.map(({ value }) => value),
  ]
  return made.find((value) => value.name === name)
}

describe('attention with heads of a multiple of 8', () => {
  test('projects query, key and value in one Gemm', () => {
    const { graph, roles } = attend(32, 4)
    const [gemm, ...others] = all(graph, 'Gemm')
    expect(others).toEqual([])
    expect(valueOf(graph, gemm?.inputs[1])?.shape).toEqual([96, 32])
    expect(valueOf(graph, gemm?.inputs[2])?.shape).toEqual([96])
    expect(roles).toEqual(['ids', 'padded_rows', 'last_positions', 'max_length', 'packed_rows'])
  })

  test('is bidirectional GroupQueryAttention with as many key heads as query heads', () => {
    const { graph } = attend(32, 4)
    expect(all(graph, 'MultiHeadAttention')).toEqual([])
    expect(all(graph, 'GroupQueryAttention')).toMatchObject([
      { attributes: { num_heads: { int: 4 }, kv_num_heads: { int: 4 }, causal: { int: 0 } } },
    ])
  })

  test('joins int8 weights after scaling each with its own scale', () => {
    const { graph } = attend(32, 4, () => linear(32, 32, 'I8'))
    const [gemm] = all(graph, 'Gemm')
    const join = graph.nodes.find(({ outputs }) => outputs[0]?.name === gemm?.inputs[1])
    expect(join?.op).toBe('Concat')
    const parts = graph.nodes.filter(({ outputs }) => join?.inputs.includes(outputs[0]?.name ?? ''))
    expect(parts.map(({ op }) => op)).toEqual(['Mul', 'Mul', 'Mul'])
    const scales = parts.map(({ inputs }) => valueOf(graph, inputs[1]))
    expect(scales.map((scale) => scale?.shape)).toEqual([
      [32, 1],
      [32, 1],
      [32, 1],
    ])
    expect(new Set(scales).size).toBe(3)
  })

  test('without biases has a Gemm without bias', () => {
    const { graph } = attend(32, 4, () => ({ ...linear(32, 32), bias: undefined }))
    expect(all(graph, 'Gemm').map(({ inputs }) => inputs.length)).toEqual([2])
  })
})

describe('attention with heads of another width', () => {
  test('is MultiHeadAttention over three projections', () => {
    const { graph, roles } = attend(40, 4)
    expect(all(graph, 'GroupQueryAttention')).toEqual([])
    expect(all(graph, 'MultiHeadAttention')).toMatchObject([{ attributes: { num_heads: { int: 4 } } }])
    expect(all(graph, 'Gemm')).toHaveLength(3)
    expect(roles).toEqual(['ids', 'padded_rows', 'last_positions', 'packed_rows'])
  })

  test('computes the lengths of the rows once for all layers', () => {
    const b = new GraphBuilder()
    let x = states(b, 20)
    for (let layer = 0; layer < 3; layer++) {
      const parts = { query: linear(20, 20), key: linear(20, 20), value: linear(20, 20) }
      x = cpuF32.attention(b, x, attentionOf({ ...parts, heads: 2, headWidth: 10 }))
    }
    const graph = finish(b, x)
    expect(all(graph, 'MultiHeadAttention')).toHaveLength(3)
    expect(all(graph, 'Add')).toMatchObject([{ inputs: ['last_positions', expect.any(String)] }])
  })
})

test('an int8 table is gathered before it is scaled: only rows asked for become floats', () => {
  const b = new GraphBuilder()
  const table = { values: ref([50, 4], 'I8'), scale: ref([50, 1]) }
  const graph = finish(b, cpuF32.lookup(b, table, b.input('ids')))
  const made = graph.nodes.map(
    ({ op, outputs: [output] }) => `${op} ${output?.dtype}[${output?.shape.join()}]`,
  )
  expect(made).toEqual(['Gather i8[T,4]', 'Cast f32[T,4]', 'Gather f32[T,1]', 'Mul f32[T,4]'])
})

test('fp8 weights are made for the graph, joined ones as one', () => {
  const fp8 = (out: number, inputs: number): Linear => ({
    weight: { values: ref([out, inputs], 'F8_E4M3'), scale: ref([out, 1]) },
    bias: undefined,
  })
  const { graph } = attend(32, 4, () => fp8(32, 32))
  expect(graph.nodes.filter(({ op }) => op === 'Cast' || op === 'Concat')).toEqual([])
  const [gemm] = all(graph, 'Gemm')
  const source = graph.initializers.find(({ value }) => value.name === gemm?.inputs[1])?.source
  expect(source).toMatchObject({ dtype: 'f32', parts: [{}, {}, {}] })
})

test('a table of fp8, or of int8 with one scale for all, is made for the graph', () => {
  const tables = [
    { values: ref([50, 4], 'F8_E4M3'), scale: ref([50, 1]) },
    { values: ref([50, 4], 'I8'), scale: ref([1, 1]), blocks: { rows: 50, columns: 4, rowsAbove: 0 } },
  ]
  for (const table of tables) {
    const b = new GraphBuilder()
    const graph = finish(b, cpuF32.lookup(b, table, b.input('ids')))
    expect(graph.nodes.map(({ op }) => op)).toEqual(['Gather'])
    expect(graph.initializers).toMatchObject([{ source: { dtype: 'f32', parts: [table] } }])
  }
})

test('a half-precision table is gathered before it is cast', () => {
  const b = new GraphBuilder()
  const graph = finish(
    b,
    cpuF32.lookup(b, { values: ref([50, 4], 'BF16'), scale: undefined }, b.input('ids')),
  )
  expect(graph.nodes.map(({ op }) => op)).toEqual(['Gather', 'Cast'])
})

test('a row of an int8 table is its codes times its scale', async () => {
  const b = new GraphBuilder()
  const values = await fileTensor(Int8Array.of(1, -2, 127, -128, 5, 6), [3, 2], 3)
  const scale = await fileTensor(Float32Array.of(0.5, 0.25, 2), [3, 1])
  const graph = finish(b, cpuF32.lookup(b, { values, scale }, b.input('ids')))
  const ids = { data: Int32Array.of(1, 2, 1), dims: [3] }
  const { data } = await runGraph(graph, [['ids', ids]])
  expect(data).toEqual([31.75, -32, 10, 12, 31.75, -32])
})

test('a linear layer is a Gemm and its activation, int8 codes scaled row by row', async () => {
  const b = new GraphBuilder()
  const x = cpuF32.lookup(
    b,
    { values: await fileTensor(Float32Array.of(1, 2, -3, 1), [2, 2]), scale: undefined },
    b.input('ids'),
  )
  const weight = {
    values: await fileTensor(Int8Array.of(1, 1, 2, -4), [2, 2]),
    scale: await fileTensor(Float32Array.of(10, 0.5), [2, 1]),
  }
  const layer = { weight, bias: await fileTensor(Float32Array.of(-1, 4), [2]) }
  const graph = finish(b, cpuF32.linear(b, x, layer, 'relu'))
  const { data } = await runGraph(graph, [['ids', { data: Int32Array.of(0, 1), dims: [2] }]])
  // rows of the weight: (10, 10) and (1, −2); 10 + 20 − 1, 1 − 4 + 4; −30 + 10 − 1, −3 − 2 + 4
  expect(data).toEqual([29, 1, 0, 0])
})

test('the end of a block is a norm over residual and projection, not a fused kernel', () => {
  const b = new GraphBuilder()
  const x = states(b, 16)
  const norm: Norm = { kind: 'layer', weight: ref([16]), bias: ref([16]), epsilon: 1e-7, plusOne: false }
  const graph = finish(b, cpuF32.linearAddNorm(b, x, linear(16, 16), x, norm).normed)
  expect(graph.nodes.map(({ op }) => op)).toEqual(['Gather', 'Gemm', 'Add', 'LayerNormalization'])
  expect(graph.nodes.at(-1)?.attributes).toEqual({ axis: { int: -1 }, epsilon: { float: 1e-7 } })
})
