/** What the steps of the CPU target are made of. */
import type { TensorRef } from '../../model/spec.ts'
import type { GraphBuilder } from '../builder.ts'
import type { Value } from '../ir.ts'
import type { AnyLinear, Matrix, Norm } from '../tensor-table.ts'

export function norm(b: GraphBuilder, x: Value, { kind, weight, bias, epsilon, plusOne }: Norm): Value {
  const attributes = { axis: { int: -1 }, epsilon: { float: epsilon } }
  const stored = vector(b, weight)
  const factor = plusOne ? b.node('Add', [stored, b.constant(Float32Array.of(1), [])]) : stored
  if (kind === 'rms') return b.node('SimplifiedLayerNormalization', [x, factor], attributes)
  return b.node('LayerNormalization', [x, factor, bias && vector(b, bias)], attributes)
}

/** x · weightᵀ + bias; x · weight + bias where the weight is [in, out]. */
export function project(b: GraphBuilder, x: Value, { weight, bias, inputMajor }: AnyLinear): Value {
  if (inputMajor) {
    const y = b.node('MatMul', [x, matrix(b, weight)])
    return bias === undefined ? y : b.node('Add', [y, vector(b, bias)])
  }
  return gemm(b, x, matrix(b, weight), bias && vector(b, bias))
}

export function gemm(b: GraphBuilder, x: Value, weight: Value, bias: Value | undefined): Value {
  return b.node('Gemm', [x, weight, bias], { transB: { int: 1 } })
}

// ONNX Runtime computes every Cast and Mul of a weight once, when it loads the graph.
export function matrix(b: GraphBuilder, { values, scale }: Matrix): Value {
  const floats = b.cast(b.tensor(values), 'f32')
  return scale === undefined ? floats : b.node('Mul', [floats, b.cast(b.tensor(scale), 'f32')])
}

export function vector(b: GraphBuilder, ref: TensorRef): Value {
  return b.cast(b.tensor(ref), 'f32')
}
