import { describe, expect, test } from 'vitest'
import { GraphBuilder } from '../../../src/graph/builder.ts'
import { checkGraph } from '../../../src/graph/check.ts'
import type { Graph, GraphNode, Value } from '../../../src/graph/ir.ts'
import { cpuF32 } from '../../../src/graph/targets/cpu-f32.ts'
import type { Linear } from '../../../src/graph/tensor-table.ts'
import type { TensorDtype } from '../../../src/model/spec.ts'
import { layOut } from '../../../src/runtime/feeds.ts'
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
  const inputs = { query: make(), key: make(), value: make(), heads }
  const output = cpuF32.attention(b, x, inputs)
  expect(output.shape).toEqual(['T', width])
  return { graph: finish(b, output), roles: b.roles }
}

function all(graph: Graph, op: string): GraphNode[] {
  return graph.nodes.filter((node) => node.op === op)
}

function valueOf(graph: Graph, name: string | undefined): Value | undefined {
  const made = [...graph.nodes.map(({ output }) => output), ...graph.initializers.map(({ value }) => value)]
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
    const join = graph.nodes.find(({ output }) => output.name === gemm?.inputs[1])
    expect(join?.op).toBe('Concat')
    const parts = graph.nodes.filter(({ output }) => join?.inputs.includes(output.name))
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
    expect(all(graph, 'Gemm').map(({ inputs }) => inputs[2])).toEqual([''])
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
      x = cpuF32.attention(b, x, {
        query: linear(20, 20),
        key: linear(20, 20),
        value: linear(20, 20),
        heads: 2,
      })
    }
    const graph = finish(b, x)
    expect(all(graph, 'MultiHeadAttention')).toHaveLength(3)
    expect(all(graph, 'Add')).toMatchObject([{ inputs: ['last_positions', expect.any(String)] }])
  })
})

const BOUNDS = [0, 1, 4, 6]
const T = 6

test.each([
  ['grouped', 8],
  ['plain', 10],
])('%s attention is the textbook formula within each row, padding left out', async (_, D) => {
  const H = 2 * D
  const x = noise(T * H, 0)
  const parts = [1, 2, 3].map((seed) => ({ weight: noise(H * H, seed), bias: noise(H, 10 * seed) }))
  const [query, key, value] = await Promise.all(
    parts.map(async ({ weight, bias }, index) => ({
      weight: { values: await fileTensor(weight, [H, H], 4 * index), scale: undefined },
      bias: await fileTensor(bias, [H]),
    })),
  )
  const b = new GraphBuilder()
  const hidden = cpuF32.lookup(b, { values: await fileTensor(x, [T, H]), scale: undefined }, b.input('ids'))
  const inputs = { query: query as Linear, key: key as Linear, value: value as Linear, heads: 2 }
  const graph = finish(b, cpuF32.attention(b, hidden, inputs))
  const { dims, data } = await runGraph(graph, layOut(raggedBatch(), b.roles))
  expect(dims).toEqual([T, H])
  const [q, k, v] = parts.map(({ weight, bias }) => project(x, weight, bias))
  const expected = textbookAttention(q as number[][], k as number[][], v as number[][], D)
  expected.flat().forEach((number, index) => expect(data[index]).toBeCloseTo(number, 4))
})

/** Rows of one, three and two tokens, whose ids are their places. */
function raggedBatch() {
  return {
    ids: Int32Array.from({ length: T }, (_, t) => t),
    bounds: Int32Array.from(BOUNDS),
    typeStarts: new Int32Array(3),
    unpooledTokens: new Int32Array(3),
    wantsTokens: false,
  }
}

function noise(count: number, seed: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => Math.sin(12.9898 * (i + 1) + 78.233 * (seed + 1)) / 2)
}

/** x · weightᵀ + bias, one array for each token. */
function project(x: Float32Array, weight: Float32Array, bias: Float32Array): number[][] {
  const H = bias.length
  return Array.from({ length: x.length / H }, (_, t) =>
    Array.from(
      bias,
      (start, out) => start + dot(x.subarray(t * H, (t + 1) * H), weight.subarray(out * H, (out + 1) * H)),
    ),
  )
}

/** softmax(q · kᵀ / √D) · v for each head, over the tokens of one's own row. */
function textbookAttention(q: number[][], k: number[][], v: number[][], D: number): number[][] {
  return q.map((query, t) => {
    const end = BOUNDS.findIndex((bound) => bound > t)
    const row = Array.from({ length: T }, (_, s) => s).slice(BOUNDS[end - 1], BOUNDS[end])
    return query.map((_, column) => {
      const head = [D * Math.floor(column / D), D * (Math.floor(column / D) + 1)] as const
      const weights = row.map((s) =>
        Math.exp(dot(query.slice(...head), (k[s] ?? []).slice(...head)) / Math.sqrt(D)),
      )
      const total = weights.reduce((sum, weight) => sum + weight, 0)
      return row.reduce((sum, s, i) => sum + ((weights[i] ?? NaN) / total) * (v[s]?.[column] ?? NaN), 0)
    })
  })
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((sum, value, i) => sum + value * (b[i] ?? NaN), 0)
}

test('an int8 table is gathered before it is scaled: only rows asked for become floats', () => {
  const b = new GraphBuilder()
  const table = { values: ref([50, 4], 'I8'), scale: ref([50, 1]) }
  const graph = finish(b, cpuF32.lookup(b, table, b.input('ids')))
  expect(graph.nodes.map(({ op, output }) => `${op} ${output.dtype}[${output.shape.join()}]`)).toEqual([
    'Gather i8[T,4]',
    'Cast f32[T,4]',
    'Gather f32[T,1]',
    'Mul f32[T,4]',
  ])
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
  const norm = { weight: ref([16]), bias: ref([16]), epsilon: 1e-7 }
  const graph = finish(b, cpuF32.linearAddNorm(b, x, linear(16, 16), x, norm))
  expect(graph.nodes.map(({ op }) => op)).toEqual(['Gather', 'Gemm', 'Add', 'LayerNormalization'])
  expect(graph.nodes.at(-1)?.attributes).toEqual({ axis: { int: -1 }, epsilon: { float: 1e-7 } })
})
