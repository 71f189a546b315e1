/**
 * The graph as plain data. Dimension letters, used throughout this room:
 * T tokens of a batch, packed · B rows (sequences) of a batch · S tokens of its longest row · H hidden width ·
 * N attention heads · D width of a head · V vocabulary.
 */
import type { TensorRef } from '../model/spec.ts'
import type { Matrix } from './matrix.ts'

export type Dtype = 'f32' | 'f16' | 'bf16' | 'u8' | 'i8' | 'i32' | 'i64' | 'bool'

/** TensorProto.DataType of ONNX. */
export const ONNX_TYPES: Readonly<Record<Dtype, number>> = {
  f32: 1,
  u8: 2,
  i8: 3,
  i32: 6,
  i64: 7,
  bool: 9,
  f16: 10,
  bf16: 16,
}

/** A number, a letter known at run time, or a product such as `B*S` or `B*64`. */
export type Dim = number | string
export type Shape = readonly Dim[]

export interface Value {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: Shape
}

export type Attribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly string: string }
  | { readonly ints: readonly number[] }

export interface GraphNode {
  readonly op: string
  /** '' stands for an optional input that is left out. */
  readonly inputs: readonly string[]
  readonly attributes: Readonly<Record<string, Attribute>>
  /** The name '' stands for an output that nobody uses. */
  readonly outputs: readonly Value[]
  /** On its provider the kernel writes every output, used or not (an operator that does so everywhere says it itself). */
  readonly writesAll?: true
}

/** What numbers of a model can be computed in. */
export type FloatDtype = 'f32' | 'f16' | 'bf16'

/**
 * A weight that no file holds as a kernel wants it. Its numbers are made before the session is (`runtime/weights.ts`), and
 * kept for the next start.
 */
export interface WeightRecipe {
  readonly dtype: FloatDtype
  /** One below the other: [rows, …] each. */
  readonly parts: readonly Matrix[]
  /** Given, the parts are of one shape and take turns, so many rows at a time: heads of query, key and value side by side. */
  readonly turnRows?: number
  /** One is added to every number: norms that are stored less one. */
  readonly plusOne?: boolean
}

/**
 * A part of a linear layer in 8 bits, made of its weight and of what calibration found of its input, before the session is
 * (`runtime/int8/`). With smoothing an input is divided by s and the weight's columns are multiplied with it, so that
 * columns far larger than the others do not take all of the codes.
 */
export interface Int8Recipe {
  /** `codes` [K, N] int8; `scales` [N]; `reciprocals` 1 / s [K]; `coarse` and `fine`: steps of an input's two codes, scalars. */
  readonly makes: 'codes' | 'scales' | 'reciprocals' | 'coarse' | 'fine'
  /** Weights [rows, K] one below the other: N rows in all. */
  readonly weights: readonly Matrix[]
  /** α of s = greatest input^α / greatest weight^(1 − α), column by column; undefined: s is 1. */
  readonly smoothing: number | undefined
}

export interface Initializer {
  readonly value: Value
  /** Bytes in a file, used where they lie; or still to be made; or carried by the graph itself. */
  readonly source: TensorRef | WeightRecipe | Int8Recipe | Uint8Array
}

export interface Graph {
  readonly inputs: readonly Value[]
  readonly initializers: readonly Initializer[]
  readonly nodes: readonly GraphNode[]
  readonly outputs: readonly Value[]
}

export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`
}
