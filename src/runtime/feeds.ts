/** Lays a ragged batch out as the inputs that a graph asks for. */
import type { InputRole } from '../graph/contract.ts'
import { INPUTS } from '../graph/contract.ts'
import type { RaggedBatch } from './runner.ts'

export interface Feed {
  readonly data: Int32Array | Float32Array
  readonly dims: readonly number[]
}

interface Layout {
  readonly B: number
  readonly T: number
  readonly S: number
}

/** One feed for each role, in the shapes of `graph/contract.ts`. */
export function layOut(batch: RaggedBatch, roles: readonly InputRole[]): Map<InputRole, Feed> {
  const B = batch.bounds.length - 1
  let S = 0
  for (let b = 0; b < B; b++) S = Math.max(S, lengthOf(batch, b))
  const layout: Layout = { B, T: batch.ids.length, S }
  return new Map(
    roles.map((role) => {
      const dims = INPUTS[role].shape.map((letter) => layout[letter])
      return [role, { data: FILLERS[role](batch, layout), dims }]
    }),
  )
}

const FILLERS: Readonly<
  Record<InputRole, (batch: RaggedBatch, layout: Layout) => Int32Array | Float32Array>
> = {
  ids: (batch) => batch.ids,
  types: (batch, { T }) =>
    eachToken(batch, new Int32Array(T), (index, b) => (index < at(batch.typeStarts, b) ? 0 : 1)),
  positions: (batch, { T }) => eachToken(batch, new Int32Array(T), (index) => index),
  padded_rows: (batch, layout) => paddedRows(batch, layout, () => 0),
  packed_rows: (batch, { T, S }) => eachToken(batch, new Int32Array(T), (index, b) => b * S + index),
  last_positions: (batch, { B }) => eachRow(B, (b) => lengthOf(batch, b) - 1),
  max_length: (_, { S }) => Int32Array.of(S),
  first_rows: (batch, { B }) => eachRow(B, (b) => at(batch.bounds, b) + skipped(batch, b)),
  last_rows: (batch, { B }) => eachRow(B, (b) => at(batch.bounds, b + 1) - 1),
  pooled_rows: (batch, layout) => paddedRows(batch, layout, (b) => skipped(batch, b)),
  mean_weights: (batch, layout) => averages(batch, layout, (count) => 1 / count),
  mean_sqrt_weights: (batch, layout) => averages(batch, layout, (count) => 1 / Math.sqrt(count)),
  position_weights: positionWeights,
}

/** Tokens that pooling skips. A prompt that fills the row leaves its last token, so that no row pools nothing. */
function skipped(batch: RaggedBatch, b: number): number {
  return Math.min(at(batch.unpooledTokens, b), lengthOf(batch, b) - 1)
}

/** [B, S] packed indices of each row's tokens from `from(b)` on; what is past the end repeats the first of them. */
function paddedRows(batch: RaggedBatch, { B, S }: Layout, from: (b: number) => number): Int32Array {
  const rows = new Int32Array(B * S)
  for (let b = 0; b < B; b++) {
    const first = at(batch.bounds, b) + from(b)
    const end = at(batch.bounds, b + 1)
    for (let s = 0; s < S; s++) rows[b * S + s] = first + s < end ? first + s : first
  }
  return rows
}

function averages(batch: RaggedBatch, { B, T }: Layout, weight: (count: number) => number): Float32Array {
  const weights = new Float32Array(B * T)
  for (let b = 0; b < B; b++) {
    const first = at(batch.bounds, b) + skipped(batch, b)
    const end = at(batch.bounds, b + 1)
    weights.fill(weight(end - first), b * T + first, b * T + end)
  }
  return weights
}

function positionWeights(batch: RaggedBatch, { B, T }: Layout): Float32Array {
  const weights = new Float32Array(B * T)
  for (let b = 0; b < B; b++) {
    const start = at(batch.bounds, b)
    const length = lengthOf(batch, b)
    const from = skipped(batch, b)
    let sum = 0
    for (let i = from; i < length; i++) sum += i + 1
    for (let i = from; i < length; i++) weights[b * T + start + i] = (i + 1) / sum
  }
  return weights
}

function eachToken(
  batch: RaggedBatch,
  out: Int32Array,
  value: (index: number, b: number) => number,
): Int32Array {
  for (let b = 0; b < batch.bounds.length - 1; b++) {
    const start = at(batch.bounds, b)
    const end = at(batch.bounds, b + 1)
    for (let t = start; t < end; t++) out[t] = value(t - start, b)
  }
  return out
}

function eachRow(B: number, value: (b: number) => number): Int32Array {
  return Int32Array.from({ length: B }, (_, b) => value(b))
}

function lengthOf(batch: RaggedBatch, b: number): number {
  return at(batch.bounds, b + 1) - at(batch.bounds, b)
}

/** Typed arrays of a batch are indexed within bounds that the loops above keep. */
function at(array: Int32Array, index: number): number {
  return array[index] as number
}
