/** What the steps of the CUDA targets are made of, in one precision. */
import type { TensorRef } from '../../model/spec.ts'
import type { GraphBuilder } from '../builder.ts'
import type { Attribute, FloatDtype, Value } from '../ir.ts'
import type { HiddenActivation } from '../layers/activation.ts'
import { activate } from '../layers/activation.ts'
import type { Matrix } from '../matrix.ts'
import type { AnyLinear, Linear, Norm } from '../tensor-table.ts'
import { adapt } from './adapter-sums.ts'

/** One weight [out, in] of the rows of several. */
export function weight(b: GraphBuilder, dtype: FloatDtype, parts: readonly Matrix[]): Value {
  return b.weight({ dtype, parts })
}

/** Biases one behind the other. */
export function vectors(b: GraphBuilder, dtype: FloatDtype, refs: readonly TensorRef[]): Value {
  return b.weight({ dtype, parts: refs.map((values) => ({ values, scale: undefined })) })
}

/**
 * x · weightᵀ. cuBLAS reads a weight in either order at no cost; CUDA's Gemm would first copy its bias into all of the output,
 * in a kernel of its own, so biases are left to the next fused node.
 */
export function matmul(b: GraphBuilder, x: Value, matrix: Value): Value {
  return b.node('FusedMatMul', [x, matrix], { transB: { int: 1 } })
}

/** A linear layer without its bias. */
export function multiply(b: GraphBuilder, dtype: FloatDtype, x: Value, linear: AnyLinear): Value {
  const matrix = weight(b, dtype, [linear.weight])
  if (linear.inputMajor) return b.node('MatMul', [x, matrix])
  return addAdapters(b, dtype, { x, y: matmul(b, x, matrix) }, [linear])
}

/** What adapters of layers side by side make of x, added to what their weights make of it. */
export function addAdapters(
  b: GraphBuilder,
  dtype: FloatDtype,
  products: { readonly x: Value; readonly y: Value },
  linears: readonly Linear[],
): Value {
  return adapt(b, dtype, products, linears, (tensor) => vectors(b, dtype, [tensor]))
}

/** x · weightᵀ + bias, where nothing behind it takes the bias. */
export function project(b: GraphBuilder, dtype: FloatDtype, x: Value, linear: AnyLinear): Value {
  return addBias(b, multiply(b, dtype, x, linear), biasOf(b, dtype, linear))
}

export function addBias(b: GraphBuilder, x: Value, bias: Value | undefined): Value {
  return bias === undefined ? x : b.node('Add', [x, bias])
}

export function biasOf(b: GraphBuilder, dtype: FloatDtype, { bias }: AnyLinear): Value | undefined {
  return bias && vectors(b, dtype, [bias])
}

/** activation(x + bias): GELU in one kernel with its bias. */
export function activateBiased(
  b: GraphBuilder,
  x: Value,
  bias: Value | undefined,
  activation: HiddenActivation,
): Value {
  if (activation === 'gelu' && bias !== undefined) return b.node('BiasGelu', [x, bias])
  if (activation === 'gelu_tanh') return b.node('FastGelu', bias === undefined ? [x] : [x, bias])
  return activate(b, addBias(b, x, bias), activation)
}

export function norm(b: GraphBuilder, dtype: FloatDtype, x: Value, normalization: Norm): Value {
  const { kind, epsilon } = normalization
  const attributes = { axis: { int: -1 }, epsilon: { float: epsilon } }
  const factor = factorOf(b, dtype, normalization)
  if (kind === 'rms') return b.node('SimplifiedLayerNormalization', [x, factor], attributes)
  return b.node('LayerNormalization', [x, factor, shiftOf(b, dtype, normalization)], attributes)
}

/** Weight of a norm. One is added before it is rounded: what is stored less one would lose its last bits otherwise. */
export function factorOf(b: GraphBuilder, dtype: FloatDtype, { weight: values, plusOne }: Norm): Value {
  const parts = [{ values, scale: undefined }]
  return b.weight(plusOne ? { dtype, parts, plusOne } : { dtype, parts })
}

export function shiftOf(b: GraphBuilder, dtype: FloatDtype, { bias }: Norm): Value | undefined {
  return bias && vectors(b, dtype, [bias])
}

/** A cast that several layers share. */
export function sharedCast(b: GraphBuilder, x: Value, dtype: FloatDtype): Value {
  return b.share(`${x.name} as ${dtype}`, () => b.cast(x, dtype))
}

export type Attributes = Record<string, Attribute>
