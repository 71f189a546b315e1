/**
 * CUDA in one precision: few, large kernels, since onnxruntime-node can record no CUDA graph and every launch is paid for. What
 * each of them takes and refuses was read in ONNX Runtime 1.30's sources; the choices that follow from it say so.
 */
import type { GraphBuilder } from '../builder.ts'
import type { Dim, FloatDtype, Value } from '../ir.ts'
import type { Kernels, Normed, Unit } from '../kernels.ts'
import { mustBeMade } from '../matrix.ts'
import type { Norm, Table } from '../tensor-table.ts'
import { adaptRows } from './adapter-sums.ts'
import { attention } from './cuda-attention.ts'
import {
  activateBiased,
  biasOf,
  factorOf,
  multiply,
  norm,
  project,
  shiftOf,
  vectors,
  weight,
} from './cuda-parts.ts'

export function cudaKernels(dtype: FloatDtype): Kernels {
  return {
    dtype,
    lookup(b, table, indices) {
      const rows = lookup(b, dtype, table, indices)
      const { adapter } = table
      if (adapter === undefined) return rows
      return adaptRows(b, dtype, { rows, indices }, adapter, (tensor) => vectors(b, dtype, [tensor]))
    },
    norm: (b, x, normalization) => norm(b, dtype, x, normalization),
    addNorm: (b, x, residual, normalization) => skipNorm(b, dtype, { x, residual, normalization }),
    linear(b, x, linear, activation) {
      const y = multiply(b, dtype, x, linear)
      return activateBiased(b, y, biasOf(b, dtype, linear), activation)
    },
    linearAddNorm(b, x, linear, residual, normalization) {
      const y = multiply(b, dtype, x, linear)
      return skipNorm(b, dtype, { x: y, bias: biasOf(b, dtype, linear), residual, normalization })
    },
    // Two products: one of both weights would be cut by a kernel that copies all of what it made.
    gated(b, x, { gate, up, activation }) {
      const opened = multiply(b, dtype, x, gate)
      const gates = activateBiased(b, opened, biasOf(b, dtype, gate), activation)
      return b.node('Mul', [gates, project(b, dtype, x, up)])
    },
    unit,
    greatest,
    attention: (b, x, inputs) => attention(b, dtype, x, inputs),
  }
}

/**
 * Gathered in the dtype it is stored in, and only the rows at hand are cast: a table of 250 000 words is never converted. int8
 * rows meet their scales in float32, where the product is exact.
 */
function lookup(b: GraphBuilder, dtype: FloatDtype, table: Table, indices: Value): Value {
  if (mustBeMade(table)) return b.gather(weight(b, dtype, [table]), indices)
  const rows = b.gather(b.tensor(table.values), indices)
  if (table.scale === undefined) return b.cast(rows, dtype)
  const scales = b.cast(b.gather(b.tensor(table.scale), indices), 'f32')
  return b.cast(b.node('Mul', [b.cast(rows, 'f32'), scales]), dtype)
}

interface SkipNorm {
  readonly x: Value
  readonly bias?: Value | undefined
  readonly residual: Value
  readonly normalization: Norm
}

/** x + bias + residual and its norm, in one kernel; the sum is written only where somebody reads it. */
function skipNorm(
  b: GraphBuilder,
  dtype: FloatDtype,
  { x, bias, residual, normalization }: SkipNorm,
): Normed {
  const factor = factorOf(b, dtype, normalization)
  const attributes = { epsilon: { float: normalization.epsilon } }
  const outputs =
    normalization.kind === 'rms'
      ? b.outputs('SkipSimplifiedLayerNormalization', [x, residual, factor, bias], attributes)
      : b.outputs(
          'SkipLayerNormalization',
          [x, residual, factor, shiftOf(b, dtype, normalization), bias],
          attributes,
        )
  return { normed: outputs[0] as Value, sum: outputs[3] as Value }
}

/** Below it the reference divides by it instead of the length. */
const LEAST_LENGTH = 1e-12

/** By elementary steps: CUDA has no LpNormalization, and its ReduceL2 asks for cuDNN, which need not be there. */
function unit(b: GraphBuilder, x: Value): Unit {
  const width = x.shape[1] as number
  const ones = b.constant(new Float32Array(width).fill(1), [width, 1])
  const lengths = b.node('Sqrt', [b.node('MatMul', [b.node('Mul', [x, x]), ones])])
  const divisors = b.node('Clip', [lengths, b.constant(Float32Array.of(LEAST_LENGTH), [])])
  return { vectors: b.node('Div', [x, divisors]), lengths }
}

/** As the first of one sorted: ReduceMax asks for cuDNN. */
function greatest(b: GraphBuilder, tokens: Value): Value {
  const [rows, , width] = tokens.shape
  const one = b.constant(BigInt64Array.of(1n), [1])
  const [values] = b.outputs('TopK', [tokens, one], { axis: { int: 1 }, sorted: { int: 0 } })
  return b.reshape(values as Value, [rows as Dim, width as Dim])
}
