/**
 * The four attention operators of com.microsoft, each reduced to rows of one head. Scores, their largest and their sum
 * are in full precision; probabilities are rounded before they meet the values, as kernels on tensor cores do.
 */
import type { KernelTable, NodeCall } from '../node-call.ts'
import type { Tensor } from '../tensor.ts'
import { at, widthOf } from '../tensor.ts'
import { attendHead } from './attend-head.ts'
import { rmsNorm } from './norms.ts'

export const ATTENTION: KernelTable = {
  MultiHeadAttention: multiHeadAttention,
  GroupQueryAttention: groupQueryAttention,
  PackedMultiHeadAttention: packedMultiHeadAttention,
  RotaryEmbedding: rotaryEmbedding,
}

/** Query, key and value [B, S, N·D]. Past a row's length scores are lowered by the filter value, as the schema says. */
function multiHeadAttention(call: NodeCall): Tensor {
  const [query, key, value] = [call.operand(0), call.operand(1), call.operand(2)]
  const lengths = call.optional(4)
  const bias = call.optional(5)
  const N = call.int('num_heads')
  const filter = call.float('mask_filter_value', -10_000)
  const causal = call.int('unidirectional', 0) === 1
  const [B = 0, S = 0, width = 0] = query.dims
  const D = width / N
  const scale = scaleOf(call, D)
  const out = new Float64Array(query.data.length)
  for (let b = 0; b < B; b++) {
    const hidden = lengths && { from: at(lengths.data, b), by: filter }
    for (let n = 0; n < N; n++) {
      const place = { first: b * S * width + n * D, step: width }
      attendHead({
        query: { ...place, data: query.data },
        key: { ...place, data: key.data },
        value: { ...place, data: value.data },
        out: { ...place, data: out },
        queryCount: S,
        keyCount: S,
        D,
        scale,
        causal,
        bias: biasOf(bias, b, n),
        hidden,
        round: (row) => call.round(row, query.dtype),
      })
    }
  }
  return { ...query, data: out }
}

/**
 * Query [B, S, N·D] with key and value [B, S, Nkv·D], or all of them in the query, one after the other. Besides the result
 * come the key and the value as they were used.
 */
function groupQueryAttention(call: NodeCall): Tensor[] {
  const N = call.int('num_heads')
  const keyHeads = call.int('kv_num_heads')
  const causal = call.int('causal', 1) === 1
  const lasts = call.operand(5)
  const bias = call.optional(10)
  const window = call.int('local_window_size', -1)
  if (window !== -1 && !causal) throw new Error('GroupQueryAttention: a window wants causality')
  const { query, key, value, D } = splitQuery(call, N, keyHeads)
  const [B = 0, S = 0] = query.dims
  if (at(call.operand(6).data, 0) !== S)
    throw new Error('GroupQueryAttention: the total length is not that of the query')
  const scale = scaleOf(call, D)
  const dims = [B, S, N * D]
  const out = new Float64Array(B * S * N * D)
  const place = (width: number, b: number, n: number) => ({ first: b * S * width + n * D, step: width })
  for (let b = 0; b < B; b++) {
    for (let n = 0; n < N; n++) {
      const keyPlace = place(keyHeads * D, b, Math.floor((n * keyHeads) / N))
      attendHead({
        query: { ...place(N * D, b, n), data: query.data },
        key: { ...keyPlace, data: key.data },
        value: { ...keyPlace, data: value.data },
        out: { ...place(N * D, b, n), data: out },
        queryCount: S,
        keyCount: at(lasts.data, b) + 1,
        D,
        scale,
        causal,
        ...(window > 0 && { window }),
        bias: biasOf(bias, b, n),
        hidden: undefined,
        round: (row) => call.round(row, query.dtype),
      })
    }
  }
  return [{ dtype: query.dtype, dims, data: out }, byHead(key, D), byHead(value, D)]
}

/** [B, S, N·D] to [B, N, S, D] */
function byHead({ dtype, dims, data }: Tensor, D: number): Tensor {
  const [B = 0, S = 0, width = 0] = dims
  const N = width / D
  const out = new Float64Array(data.length)
  for (let block = 0; block < B * S * N; block++) {
    const [b, s, n] = [Math.floor(block / S / N), Math.floor(block / N) % S, block % N]
    out.set(data.subarray(block * D, (block + 1) * D), ((b * N + n) * S + s) * D)
  }
  return { dtype, dims: [B, N, S, D], data: out }
}

/** Query, key and value apart; normed and turned where the node asks for it, each stored in the dtype of the query. */
function splitQuery(call: NodeCall, N: number, keyHeads: number) {
  const packed = call.operand(0)
  const [key, value] = [call.optional(1), call.optional(2)]
  const [queryNorm, keyNorm] = [call.optional(14), call.optional(15)]
  const D = widthOf(packed) / (key === undefined ? N + 2 * keyHeads : N)
  const cut = (from: number, heads: number) => columns(packed, from * D, heads * D)
  const parts =
    key === undefined || value === undefined
      ? { query: cut(0, N), key: cut(N, keyHeads), value: cut(N + keyHeads, keyHeads) }
      : { query: packed, key, value }
  const epsilon = queryNorm && call.float('qk_norm_epsilon', 1e-6)
  const prepare = (x: Tensor, weight: Tensor | undefined) => {
    const normed = weight === undefined || epsilon === undefined ? x : normHeads(x, { weight, epsilon })
    return turnByStep(call, normed, D)
  }
  return { ...parts, query: prepare(parts.query, queryNorm), key: prepare(parts.key, keyNorm), D }
}

/** RMSNorm over each head. */
function normHeads(x: Tensor, norm: { weight: Tensor; epsilon: number }): Tensor {
  const D = norm.weight.data.length
  return { ...rmsNorm({ ...x, dims: [x.data.length / D, D] }, norm), dims: x.dims }
}

/** By the index within the row, where the node turns query and key itself. */
function turnByStep(call: NodeCall, x: Tensor, D: number): Tensor {
  if (call.int('do_rotary', 0) !== 1) return x
  const [, S = 0, width = 0] = x.dims
  const positions = Float64Array.from({ length: x.data.length / width }, (_, i) => i % S)
  const interleaved = call.int('rotary_interleaved', 0) === 1
  const tables = { cos: call.operand(7), sin: call.operand(8) }
  return { ...x, data: call.round(turn(x, positions, { ...tables, D, interleaved }), x.dtype) }
}

/**
 * Query, key and value [T, N·D], or the query alone as [T, N, 3, D]: query, key and value of one head side by side. The
 * bias is that of all queries, then all keys, then all values in both forms. token_offset tells S by its shape; its
 * contents are read by one kernel of several, and must be right all the same.
 */
function packedMultiHeadAttention(call: NodeCall): Tensor {
  const N = call.int('num_heads')
  const packed = call.operand(0)
  const [key, value, bias] = [call.optional(1), call.optional(2), call.optional(3)]
  const offsets = call.operand(4)
  const [B = 0, S = 0] = offsets.dims
  const bounds = call.operand(5)
  const scoreBias = call.optional(6)
  const T = packed.dims[0] as number
  const D = packed.data.length / T / N / (key === undefined ? 3 : 1)
  const width = N * D
  const scale = scaleOf(call, D)
  const parts =
    key === undefined || value === undefined
      ? [0, 1, 2].map((part) => interleavedPart(packed, part, D))
      : [packed, key, value].map(({ data }) => data)
  const [queries, keys, values] = parts.map((data, part) =>
    bias === undefined ? data : call.round(addBias(data, bias.data, part * width, width), packed.dtype),
  ) as [Float64Array, Float64Array, Float64Array]
  if (at(bounds.data, 0) !== 0 || at(bounds.data, B) !== T)
    throw new Error(
      `PackedMultiHeadAttention: lengths from ${bounds.data[0]} to ${bounds.data[B]}, not 0 to ${T}`,
    )
  const out = new Float64Array(T * width)
  for (let b = 0; b < B; b++) {
    const from = at(bounds.data, b)
    const count = at(bounds.data, b + 1) - from
    if (count > S) throw new Error(`PackedMultiHeadAttention: row ${b} has ${count} tokens, more than ${S}`)
    for (let i = 0; i < count; i++) {
      const place = at(offsets.data, from + i)
      if (place !== b * S + i)
        throw new Error(
          `PackedMultiHeadAttention: token ${i} of row ${b} has offset ${place}, not ${b * S + i}`,
        )
    }
    for (let n = 0; n < N; n++) {
      const place = { first: from * width + n * D, step: width }
      attendHead({
        query: { ...place, data: queries },
        key: { ...place, data: keys },
        value: { ...place, data: values },
        out: { ...place, data: out },
        queryCount: count,
        keyCount: count,
        D,
        scale,
        causal: false,
        bias: biasOf(scoreBias, b, n),
        hidden: undefined,
        round: (row) => call.round(row, packed.dtype),
      })
    }
  }
  return { dtype: packed.dtype, dims: [T, width], data: out }
}

/** x [rows, length, N·D]; positions [rows, length], or one that the first token of each row has. */
function rotaryEmbedding(call: NodeCall): Tensor {
  const x = call.operand(0)
  const places = call.operand(1)
  const [cos, sin] = [call.operand(2), call.operand(3)]
  const N = call.int('num_heads')
  const interleaved = call.int('interleaved', 0) === 1
  const isPacked = call.int('is_packed_batching', 0) === 1
  const [, length = 0, width = 0] = x.dims
  if (!isPacked && length > (cos.dims[0] as number))
    throw new Error(`RotaryEmbedding: rows of ${length} tokens, tables of ${cos.dims[0]}`)
  const count = x.data.length / width
  const positions =
    places.data.length === count
      ? places.data
      : Float64Array.from({ length: count }, (_, i) => at(places.data, 0) + (i % length))
  return { ...x, data: turn(x, positions, { cos, sin, D: width / N, interleaved }) }
}

interface Turn {
  /** [positions, D / 2]; a narrower table turns only the first numbers of a head. */
  readonly cos: Tensor
  readonly sin: Tensor
  readonly D: number
  readonly interleaved: boolean
}

/** Pairs of a head's numbers turned by their position's angles: neighbours, or the first half with the second. */
function turn(x: Tensor, positions: Float64Array, { cos, sin, D, interleaved }: Turn): Float64Array {
  const half = widthOf(cos)
  const width = widthOf(x)
  const out = x.data.slice()
  for (const [token, position] of positions.entries()) {
    if (position < 0 || position >= (cos.dims[0] as number))
      throw new Error(`position ${position} is outside of the rotary tables`)
    for (let head = token * width; head < (token + 1) * width; head += D) {
      for (let i = 0; i < half; i++) {
        const first = head + (interleaved ? 2 * i : i)
        const second = interleaved ? first + 1 : first + half
        const [c, s] = [at(cos.data, position * half + i), at(sin.data, position * half + i)]
        out[first] = at(x.data, first) * c - at(x.data, second) * s
        out[second] = at(x.data, second) * c + at(x.data, first) * s
      }
    }
  }
  return out
}

function scaleOf(call: NodeCall, D: number): number {
  const scale = call.float('scale', 0)
  return scale === 0 ? 1 / Math.sqrt(D) : scale
}

/** Where the scores' bias of a row and a head begins: [1 or B, 1 or N, S, S]. */
function biasOf(bias: Tensor | undefined, b: number, n: number) {
  if (bias === undefined) return undefined
  const [rows = 1, heads = 1, queries = 0, keys = 0] = bias.dims
  const block = (rows === 1 ? 0 : b) * heads + (heads === 1 ? 0 : n)
  return { data: bias.data, first: block * queries * keys, step: keys }
}

/** Some columns of x, in axes as they were but for the last. */
function columns(x: Tensor, from: number, count: number): Tensor {
  const width = widthOf(x)
  const rows = x.data.length / width
  const data = new Float64Array(rows * count)
  for (let row = 0; row < rows; row++)
    data.set(x.data.subarray(row * width + from, row * width + from + count), row * count)
  return { dtype: x.dtype, dims: [...x.dims.slice(0, -1), count], data }
}

/** [T, N, 3, D] to one of its three parts: [T, N·D]. */
function interleavedPart({ data }: Tensor, part: number, D: number): Float64Array {
  const out = new Float64Array(data.length / 3)
  for (let head = 0; head < out.length / D; head++) {
    const from = (head * 3 + part) * D
    out.set(data.subarray(from, from + D), head * D)
  }
  return out
}

function addBias(data: Float64Array, bias: Float64Array, first: number, width: number): Float64Array {
  return data.map((value, i) => value + at(bias, first + (i % width)))
}
