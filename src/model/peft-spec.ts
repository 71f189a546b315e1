/** What adapters in files of their own (PEFT) change, as plain data. */
import type { TensorRef } from './spec.ts'

/** What an adapter changes, by the name that transformers has for the layer or the table. */
export type AdapterParts = Readonly<Record<string, LowRank>>

/** Of a layer the weight becomes weight + scale · up · down; of a table, a row for each word, weight + scale · (up · down)ᵀ. */
export interface LowRank {
  readonly of: 'layer' | 'table'
  /** [rank, in] of a layer, [rank, rows] of a table */
  readonly down: TensorRef
  /** [out, rank] of a layer, [width, rank] of a table */
  readonly up: TensorRef
  readonly rank: number
  readonly scale: number
  /** The adapter and the layer, as errors show them. */
  readonly shown: string
}
