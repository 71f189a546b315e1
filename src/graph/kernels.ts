/**
 * A target is a table of kernels: what stands for each step of a model on one execution provider in one precision.
 * The steps are as coarse as the best provider can fuse, so that layers and families are written once.
 */
import type { GraphBuilder } from './builder.ts'
import type { Dtype, Value } from './ir.ts'
import type { HiddenActivation } from './layers/activation.ts'
import type { AnyLinear, Linear, Norm, Table } from './tensor-table.ts'

/** What self-attention is made of; letters as in `ir.ts`. */
export interface AttentionInputs {
  readonly query: Linear
  readonly key: Linear
  readonly value: Linear
  /** N */
  readonly heads: number
  readonly keyHeads: number
  /** D */
  readonly headWidth: number
  /** Factor of the scores. */
  readonly scale: number
  readonly causal: boolean
  /** Farthest distance seen, both ways; undefined: every token of the row. */
  readonly window: number | undefined
  readonly rotary: Rotary | undefined
  readonly queryNorm: HeadNorm | undefined
  readonly keyNorm: HeadNorm | undefined
  /** What is added to the scores, of projected query and key [T, ·]: [1 or B, 1 or N, S, S] float32. */
  readonly bias: ((query: Value, key: Value) => Value) | undefined
  /**
   * Tokens at a row's end may be of a kind that no token sees, as inputs.last_seen_positions tells. One whose window holds no
   * other gets any finite numbers.
   */
  readonly hidesUnseen: boolean
}

/** Cosine and sine of the angles of each position: [S, D / 2] float32 each. */
export interface Rotary {
  readonly cos: Value
  readonly sin: Value
  /** Numbers 2j and 2j + 1 turn together, not j and j + D/2. */
  readonly interleaved?: true
}

export interface HeadNorm {
  readonly norm: Norm
  readonly over: 'head' | 'all'
}

/** A sum [T, H], and its norm. */
export interface Normed {
  readonly sum: Value
  readonly normed: Value
}

/** Vectors of length 1, and the lengths [B, 1] that they had. */
export interface Unit {
  readonly vectors: Value
  readonly lengths: Value
}

export interface GatedInputs {
  readonly gate: Linear
  readonly up: Linear
  readonly activation: HiddenActivation
}

export interface Kernels {
  /** What activations are. */
  readonly dtype: Dtype
  /** Rows of a table: [rows, H] and indices [T] give [T, H]. */
  readonly lookup: (b: GraphBuilder, table: Table, indices: Value) => Value
  readonly norm: (b: GraphBuilder, x: Value, norm: Norm) => Value
  /** residual + x, and its norm */
  readonly addNorm: (b: GraphBuilder, x: Value, residual: Value, norm: Norm) => Normed
  /** activation(x · weightᵀ + bias) */
  readonly linear: (b: GraphBuilder, x: Value, linear: AnyLinear, activation: HiddenActivation) => Value
  /** residual + x · weightᵀ + bias, and its norm */
  readonly linearAddNorm: (
    b: GraphBuilder,
    x: Value,
    linear: AnyLinear,
    residual: Value,
    norm: Norm,
  ) => Normed
  /** activation(gate(x)) · up(x) */
  readonly gated: (b: GraphBuilder, x: Value, inputs: GatedInputs) => Value
  /** Of vectors [B, D] float32, for the embedding head. A zero vector stays zero. */
  readonly unit: (b: GraphBuilder, vectors: Value) => Unit
  /** The greatest of each row's tokens, number by number: [B, S, H] float32 gives [B, H]. */
  readonly greatest: (b: GraphBuilder, tokens: Value) => Value
  /** Self-attention within each row of the packed batch, projections included: [T, H] gives [T, N·D]. */
  readonly attention: (b: GraphBuilder, x: Value, inputs: AttentionInputs) => Value
}
