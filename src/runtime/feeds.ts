/** Lays a ragged batch out as the inputs that a graph asks for. */
import type { InputRole } from '../graph/contract.ts'
import { INPUTS } from '../graph/contract.ts'
import type { MediaSizes } from './media-feeds.ts'
import { mediaPlaces, mediaSizes, mediaValues } from './media-feeds.ts'
import type { Pieces } from './pieces.ts'
import { cutIntoPieces } from './pieces.ts'
import type { RaggedBatch } from './runner.ts'

export interface Feed {
  readonly data: Int32Array | Float32Array
  readonly dims: readonly number[]
}

interface Layout extends MediaSizes {
  readonly B: number
  readonly T: number
  readonly S: number
  readonly 'B+1': number
  readonly P: number
  readonly C: number
  readonly padId: number | undefined
  readonly endId: FeedOptions['endId']
  readonly unseenId: number | undefined
  readonly pieces: Pieces
}

/** What else a graph says of its inputs: a part of `CompiledGraph`. */
export interface FeedOptions {
  readonly padId?: number | undefined
  readonly endId?: number | 'greatest' | undefined
  readonly unseenId?: number | undefined
  readonly lengthStep?: number
  readonly window?: number | undefined
}

/** One feed for each role, in the shapes of `graph/contract.ts`. */
export function layOut(
  batch: RaggedBatch,
  roles: readonly InputRole[],
  { padId, endId, unseenId, lengthStep = 1, window }: FeedOptions = {},
): Map<InputRole, Feed> {
  const B = batch.bounds.length - 1
  let longest = 0
  for (let b = 0; b < B; b++) longest = Math.max(longest, lengthOf(batch, b))
  const S = Math.ceil(longest / lengthStep) * lengthStep
  const pieces = cutIntoPieces(batch.bounds, window)
  const P = pieces.starts.length
  const sizes = { B, T: batch.ids.length, S, 'B+1': B + 1, P, C: pieces.longest }
  const layout: Layout = { ...sizes, ...mediaSizes(batch), padId, endId, unseenId, pieces }
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
  adapters: (batch, { T }) => eachToken(batch, new Int32Array(T), (_, b) => at(batch.adapters, b)),
  positions: (batch, { T }) => eachToken(batch, new Int32Array(T), (index) => index),
  counted_positions: countedPositions,
  padded_rows: (batch, layout) => paddedRows(batch, layout, () => 0),
  packed_rows: (batch, { T, S }) => eachToken(batch, new Int32Array(T), (index, b) => b * S + index),
  bounds: (batch) => batch.bounds,
  padded_places: paddedPlaces,
  last_positions: (batch, { B }) => eachRow(B, (b) => lengthOf(batch, b) - 1),
  last_seen_positions: (batch, { B, unseenId }) => eachRow(B, (b) => seenLength(batch, b, unseenId) - 1),
  unseen_distances: unseenDistances,
  steps: (_, { S }) => Int32Array.from({ length: S }, (_, index) => index),
  max_length: (_, { S }) => Int32Array.of(S),
  padded_pieces: (_, { pieces: { starts, ends, longest } }) => paddedSpans(starts, ends, longest),
  packed_pieces: (_, { T, pieces }) => packedPieces(pieces, T),
  last_piece_positions: (_, { P, pieces: { starts, ends } }) =>
    eachRow(P, (p) => at(ends, p) - at(starts, p) - 1),
  last_seen_piece_positions: lastSeenPiecePositions,
  piece_steps: (_, { C }) => Int32Array.from({ length: C }, (_, index) => index),
  max_piece_length: (_, { C }) => Int32Array.of(C),
  first_rows: (batch, { B }) => eachRow(B, (b) => at(batch.bounds, b) + skipped(batch, b)),
  last_rows: (batch, { B }) => eachRow(B, (b) => at(batch.bounds, b + 1) - 1),
  end_rows: (batch, { B, endId }) => eachRow(B, (b) => endRow(batch, b, endId)),
  last_counted_rows: (batch, { B, padId }) => eachRow(B, (b) => lastCounted(batch, b, padId)),
  pooled_rows: (batch, layout) => paddedRows(batch, layout, (b) => skipped(batch, b)),
  mean_weights: (batch, layout) => averages(batch, layout, (count) => 1 / count),
  mean_sqrt_weights: (batch, layout) => averages(batch, layout, (count) => 1 / Math.sqrt(count)),
  position_weights: positionWeights,
  padded_ids: ({ ids, bounds }, { B, S, padId = 0 }) =>
    eachPlace({ B, S }, (b, s) => {
      const t = at(bounds, b) + s
      return t < at(bounds, b + 1) ? at(ids, t) : padId
    }),
  padded_types: (batch, layout) =>
    eachPlace(layout, (b, s) => (s >= at(batch.typeStarts, b) && s < lengthOf(batch, b) ? 1 : 0)),
  padded_positions: (_, layout) => eachPlace(layout, (_, s) => s),
  padded_seen: paddedSeen,
  patches: mediaValues,
  features: mediaValues,
  patch_places: mediaPlaces,
}

/** Tokens that pooling skips. A prompt that fills the row leaves its last token, so that no row with tokens pools nothing. */
function skipped(batch: RaggedBatch, b: number): number {
  return Math.max(0, Math.min(at(batch.unpooledTokens, b), lengthOf(batch, b) - 1))
}

function lastCounted(batch: RaggedBatch, b: number, padId: number | undefined): number {
  const first = at(batch.bounds, b)
  let last = at(batch.bounds, b + 1) - 1
  while (last > first && at(batch.ids, last) === padId) last--
  return last
}

/** Of a row's tokens the first with the id that ends a text, else its first; or the first of those with the greatest id. */
function endRow({ ids, bounds }: RaggedBatch, b: number, endId: FeedOptions['endId']): number {
  const [first, end] = [at(bounds, b), at(bounds, b + 1)]
  let found = first
  for (let t = first; t < end; t++) {
    if (at(ids, t) === endId) return t
    if (endId === 'greatest' && at(ids, t) > at(ids, found)) found = t
  }
  return found
}

/** Tokens of a row without those at its end that no token sees; the first is always seen. */
function seenLength(batch: RaggedBatch, b: number, unseenId: number | undefined): number {
  const first = at(batch.bounds, b)
  let last = at(batch.bounds, b + 1) - 1
  while (last > first && at(batch.ids, last) === unseenId) last--
  return last + 1 - first
}

function unseenDistances(batch: RaggedBatch, { T, unseenId }: Layout): Int32Array {
  let seen = 0
  return eachToken(batch, new Int32Array(T), (index, b) => {
    if (index === 0) seen = seenLength(batch, b, unseenId)
    return Math.max(0, index + 1 - seen)
  })
}

function lastSeenPiecePositions(batch: RaggedBatch, { P, unseenId, pieces }: Layout): Int32Array {
  let b = -1
  let seenEnd = 0
  return eachRow(P, (p) => {
    const start = at(pieces.starts, p)
    while (start >= at(batch.bounds, b + 1)) {
      b++
      seenEnd = at(batch.bounds, b) + seenLength(batch, b, unseenId)
    }
    return Math.max(1, Math.min(at(pieces.ends, p), seenEnd) - start) - 1
  })
}

function countedPositions(batch: RaggedBatch, { T, padId }: Layout): Int32Array {
  let count = 0
  return eachToken(batch, new Int32Array(T), (index, b) => {
    if (index === 0) count = 0
    return at(batch.ids, at(batch.bounds, b) + index) === padId ? 0 : ++count
  })
}

function paddedSeen(batch: RaggedBatch, { B, S, unseenId }: Layout): Int32Array {
  const seen = eachRow(B, (b) => seenLength(batch, b, unseenId))
  return eachPlace({ B, S }, (b, s) => (s < at(seen, b) ? 1 : 0))
}

/** [B, S] */
function eachPlace({ B, S }: Pick<Layout, 'B' | 'S'>, value: (b: number, s: number) => number): Int32Array {
  const places = new Int32Array(B * S)
  for (let b = 0; b < B; b++) for (let s = 0; s < S; s++) places[b * S + s] = value(b, s)
  return places
}

/** [B, S] packed indices of each row's tokens from `from(b)` on. */
function paddedRows(batch: RaggedBatch, { B, S }: Layout, from: (b: number) => number): Int32Array {
  const starts = eachRow(B, (b) => at(batch.bounds, b) + from(b))
  return paddedSpans(starts, batch.bounds.subarray(1), S)
}

/** A line of `length` packed indices for each span of them; what is past its end repeats the first. */
function paddedSpans(starts: Int32Array, ends: Int32Array, length: number): Int32Array {
  const rows = new Int32Array(starts.length * length)
  for (let p = 0; p < starts.length; p++) {
    const first = at(starts, p)
    const end = at(ends, p)
    for (let s = 0; s < length; s++) rows[p * length + s] = first + s < end ? first + s : first
  }
  return rows
}

function packedPieces({ starts, keptEnds, longest }: Pieces, T: number): Int32Array {
  const places = new Int32Array(T)
  let p = 0
  for (let t = 0; t < T; t++) {
    while (t >= at(keptEnds, p)) p++
    places[t] = p * longest + t - at(starts, p)
  }
  return places
}

/** [B, S]: the real places of all rows, one after the other, then the places past each row's end. */
function paddedPlaces(batch: RaggedBatch, { B, T, S }: Layout): Int32Array {
  const places = new Int32Array(B * S)
  let real = 0
  let padding = T
  for (let b = 0; b < B; b++) {
    const length = lengthOf(batch, b)
    for (let s = 0; s < S; s++) places[s < length ? real++ : padding++] = b * S + s
  }
  return places
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
