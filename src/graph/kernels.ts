/**
 * A target is a table of kernels: what stands for each step of a model on one execution provider in one precision.
 * The steps are as coarse as the best provider can fuse, so that layers and families are written once.
 */
import type { GraphBuilder } from './builder.ts'
import type { Value } from './ir.ts'
import type { HiddenActivation } from './layers/activation.ts'
import type { Linear, Matrix, Norm } from './tensor-table.ts'

export interface AttentionInputs {
  readonly query: Linear
  readonly key: Linear
  readonly value: Linear
  readonly heads: number
}

export interface Kernels {
  /** Rows of a table: [rows, H] and indices [T] give [T, H]. */
  readonly lookup: (b: GraphBuilder, table: Matrix, indices: Value) => Value
  readonly norm: (b: GraphBuilder, x: Value, norm: Norm) => Value
  /** activation(x · weightᵀ + bias) */
  readonly linear: (b: GraphBuilder, x: Value, linear: Linear, activation: HiddenActivation) => Value
  /** norm(residual + x · weightᵀ + bias) */
  readonly linearAddNorm: (b: GraphBuilder, x: Value, linear: Linear, residual: Value, norm: Norm) => Value
  /** Bidirectional self-attention within each row of the packed batch, projections included: [T, H] gives [T, N·D]. */
  readonly attention: (b: GraphBuilder, x: Value, inputs: AttentionInputs) => Value
}
