/** What the steps of the CPU target are made of. */
import type { TensorRef } from '../../model/spec.ts'
import type { GraphBuilder } from '../builder.ts'
import type { Value } from '../ir.ts'
import { joinNeighbours, mustBeMade } from '../matrix.ts'
import type { Linear, Matrix, Norm } from '../tensor-table.ts'
import { joinBiases as joinVectors } from './attention-parts.ts'

export function norm(b: GraphBuilder, x: Value, { kind, weight, bias, epsilon, plusOne }: Norm): Value {
  const attributes = { axis: { int: -1 }, epsilon: { float: epsilon } }
  const stored = vector(b, weight)
  const factor = plusOne ? b.node('Add', [stored, b.constant(Float32Array.of(1), [])]) : stored
  if (kind === 'rms') return b.node('SimplifiedLayerNormalization', [x, factor], attributes)
  return b.node('LayerNormalization', [x, factor, bias && vector(b, bias)], attributes)
}

// ONNX Runtime computes every Cast and Mul of a weight once, when it loads the graph.
export function matrix(b: GraphBuilder, weight: Matrix): Value {
  if (mustBeMade(weight)) return b.weight({ dtype: 'f32', parts: [weight] })
  const { values, scale } = weight
  const floats = b.cast(b.tensor(values), 'f32')
  return scale === undefined ? floats : b.node('Mul', [floats, b.cast(b.tensor(scale), 'f32')])
}

export function vector(b: GraphBuilder, ref: TensorRef): Value {
  return b.cast(b.tensor(ref), 'f32')
}

export function joinBiases(b: GraphBuilder, parts: readonly Linear[]): Value | undefined {
  const make = (bias: TensorRef): Value => vector(b, bias)
  const join = (biases: readonly TensorRef[]): Value => {
    const joined = joinNeighbours(biases)
    return joined === undefined ? b.concat(biases.map(make), 0) : make(joined)
  }
  return joinVectors(b, parts, { join, make })
}
