/**
 * CPU, float32. Measured choices: Add + LayerNormalization, because the fused SkipLayerNormalization is scalar code there;
 * Gemm with its bias; only attention sees padding.
 */
import type { GraphBuilder } from '../builder.ts'
import type { Value } from '../ir.ts'
import { activate } from '../layers/activation.ts'
import type { GatedInputs, Kernels, Normed, Unit } from '../kernels.ts'
import type { Norm } from '../tensor-table.ts'
import { attention } from './cpu-attention.ts'
import { norm, project } from './cpu-parts.ts'

export const cpuF32: Kernels = {
  dtype: 'f32',
  // Gathered in the dtype it is stored in: an int8 or half-precision table never becomes a float32 copy.
  lookup(b, table, indices) {
    const rows = b.cast(b.gather(b.tensor(table.values), indices), 'f32')
    if (table.scale === undefined) return rows
    return b.node('Mul', [rows, b.cast(b.gather(b.tensor(table.scale), indices), 'f32')])
  },
  norm,
  addNorm,
  linear(b, x, linear, activation) {
    return activate(b, project(b, x, linear), activation)
  },
  linearAddNorm(b, x, linear, residual, normalization) {
    return addNorm(b, project(b, x, linear), residual, normalization)
  },
  gated,
  unit,
  greatest,
  attention,
}

function addNorm(b: GraphBuilder, x: Value, residual: Value, normalization: Norm): Normed {
  const sum = b.node('Add', [residual, x])
  return { sum, normed: norm(b, sum, normalization) }
}

function gated(b: GraphBuilder, x: Value, { gate, up, activation }: GatedInputs): Value {
  return b.node('Mul', [activate(b, project(b, x, gate), activation), project(b, x, up)])
}

function unit(b: GraphBuilder, x: Value): Unit {
  const lengths = b.node('ReduceL2', [x, axisOne(b)], { keepdims: { int: 1 } })
  return { vectors: b.node('LpNormalization', [x], { axis: { int: -1 }, p: { int: 2 } }), lengths }
}

function greatest(b: GraphBuilder, tokens: Value): Value {
  return b.node('ReduceMax', [tokens, axisOne(b)], { keepdims: { int: 0 } })
}

function axisOne(b: GraphBuilder): Value {
  return b.share('axis 1', () => b.constant(BigInt64Array.of(1n), [1]))
}
