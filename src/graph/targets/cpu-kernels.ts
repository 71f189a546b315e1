/**
 * The kernels of the CPU, whatever its linear layers are multiplied with. Measured choices: Add + LayerNormalization, because
 * the fused SkipLayerNormalization is scalar code there; only attention sees padding.
 */
import type { GraphBuilder } from '../builder.ts'
import type { Value } from '../ir.ts'
import { activate } from '../layers/activation.ts'
import type { Kernels, Normed, Unit } from '../kernels.ts'
import { mustBeMade } from '../matrix.ts'
import type { AnyLinear, Linear, Norm, Table } from '../tensor-table.ts'
import { adapt, adaptRows } from './adapter-sums.ts'
import { attention } from './cpu-attention.ts'
import { matrix, norm, vector } from './cpu-parts.ts'

/** How activations are multiplied with weights: all that the CPU's targets differ in. */
export interface Products {
  /** [T, K] to [T, N]: x · weightᵀ + bias; x · weight + bias where the weight is [in, out]. */
  readonly project: (b: GraphBuilder, x: Value, linear: AnyLinear) => Value
  /** Of several layers with the same input, side by side. */
  readonly projectJoined: (b: GraphBuilder, x: Value, linears: readonly Linear[]) => Value
}

export function cpuKernels(plainProducts: Products): Kernels {
  const products = withAdapters(plainProducts)
  const { project } = products
  return {
    dtype: 'f32',
    lookup(b, table, indices) {
      const rows = lookup(b, table, indices)
      const { adapter } = table
      if (adapter === undefined) return rows
      return adaptRows(b, 'f32', { rows, indices }, adapter, (tensor) => vector(b, tensor))
    },
    norm,
    addNorm,
    linear(b, x, linear, activation) {
      return activate(b, project(b, x, linear), activation)
    },
    linearAddNorm(b, x, linear, residual, normalization) {
      return addNorm(b, project(b, x, linear), residual, normalization)
    },
    gated(b, x, { gate, up, activation }) {
      return b.node('Mul', [activate(b, project(b, x, gate), activation), project(b, x, up)])
    },
    unit,
    greatest,
    attention: (b, x, inputs) => attention(b, x, inputs, products),
  }
}

/** What adapters add is float32, whatever their layers are multiplied in. */
function withAdapters({ project, projectJoined }: Products): Products {
  const add = (b: GraphBuilder, x: Value, y: Value, linears: readonly AnyLinear[]): Value =>
    adapt(b, 'f32', { x, y }, linears, (tensor) => vector(b, tensor))
  return {
    project: (b, x, linear) => add(b, x, project(b, x, linear), [linear]),
    projectJoined: (b, x, linears) => add(b, x, projectJoined(b, x, linears), linears),
  }
}

/** Gathered in the dtype it is stored in: an int8 or half-precision table never becomes a float32 copy. */
function lookup(b: GraphBuilder, table: Table, indices: Value): Value {
  if (mustBeMade(table)) return b.gather(matrix(b, table), indices)
  const rows = b.cast(b.gather(b.tensor(table.values), indices), 'f32')
  if (table.scale === undefined) return rows
  return b.node('Mul', [rows, b.cast(b.gather(b.tensor(table.scale), indices), 'f32')])
}

function addNorm(b: GraphBuilder, x: Value, residual: Value, normalization: Norm): Normed {
  const sum = b.node('Add', [residual, x])
  return { sum, normed: norm(b, sum, normalization) }
}

function unit(b: GraphBuilder, x: Value): Unit {
  const lengths = b.node('ReduceL2', [x, axisOne(b)], { keepdims: { int: 1 } })
  return { vectors: b.node('LpNormalization', [x], { axis: { int: -1 }, p: { int: 2 } }), lengths }
}

function greatest(b: GraphBuilder, tokens: Value): Value {
  return b.node('ReduceMax', [tokens, axisOne(b)], { keepdims: { int: 0 } })
}

export function axisOne(b: GraphBuilder): Value {
  return b.share('axis 1', () => b.constant(BigInt64Array.of(1n), [1]))
}
