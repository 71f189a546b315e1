/**
 * The graph as plain data. Dimension letters, used throughout this room:
 * T tokens of a batch, packed · B rows (sequences) of a batch · S tokens of its longest row · H hidden width ·
 * N attention heads · D width of a head · V vocabulary.
 */
import type { TensorRef } from '../model/spec.ts'

export type Dtype = 'f32' | 'f16' | 'bf16' | 'i8' | 'i32' | 'i64'

/** TensorProto.DataType of ONNX. */
export const ONNX_TYPES: Readonly<Record<Dtype, number>> = {
  f32: 1,
  i8: 3,
  i32: 6,
  i64: 7,
  f16: 10,
  bf16: 16,
}

/** A number, a letter known at run time, or a product of letters such as `B*S`. */
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
  readonly output: Value
}

export interface Initializer {
  readonly value: Value
  /** Bytes in a file, used where they lie; or bytes carried by the graph itself. */
  readonly source: TensorRef | Uint8Array
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
