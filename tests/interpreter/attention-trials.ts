import type { Dtype } from '../../src/graph/ir.ts'
import type { Evidence } from './operator-trials.ts'
import type { Attributes, Draw, Trial } from './trial.ts'
import { TrialGraph, tensorOf, trialOf } from './trial.ts'
import type { Tensor } from './tensor.ts'
import { at, sizeAt } from './tensor.ts'

export const ATTENTION_TRIALS: Readonly<Record<string, Evidence>> = {
  MultiHeadAttention: {
    trials: [
      (draw) => multiHead(draw, {}),
      (draw) => multiHead(draw, { masked: true }),
      (draw) => multiHead(draw, { masked: true, biased: true }),
      (draw) => multiHead(draw, { masked: true, causal: true }),
      (draw) => multiHead(draw, { masked: true, filter: -0.5 }),
    ],
  },
  GroupQueryAttention: {
    trials: [
      (draw) => grouped(draw, {}),
      (draw) => grouped(draw, { packed: true }),
      (draw) => grouped(draw, { causal: true }),
      (draw) => grouped(draw, { causal: undefined, packed: true }),
      (draw) => grouped(draw, { turned: true }),
      (draw) => grouped(draw, { turned: true, packed: true, causal: true }),
      (draw) => grouped(draw, { turned: true, interleaved: true }),
      (draw) => grouped(draw, { biased: true }),
      (draw) => grouped(draw, { biased: true, causal: true, turned: true }),
      (draw) => grouped(draw, { causal: true, window: draw.int(1, 4) }),
      (draw) => grouped(draw, { dtype: 'f16', turned: true }),
      (draw) => grouped(draw, { dtype: 'f16', causal: true, packed: true }),
      (draw) => groupedWithNorms(draw),
    ],
  },
  PackedMultiHeadAttention: {
    instead: 'MultiHeadAttention on padded rows, because only CUDA has a kernel of the packed form',
    trials: [
      (draw) => packed(draw, {}),
      (draw) => packed(draw, { interleaved: true }),
      (draw) => packed(draw, { projected: true }),
      (draw) => packed(draw, { interleaved: true, projected: true }),
      (draw) => packed(draw, { biased: true, interleaved: true }),
      (draw) => packed(draw, { biased: true, projected: true }),
    ],
  },
  RotaryEmbedding: {
    trials: [
      (draw) => turned(draw, {}),
      (draw) => turned(draw, { interleaved: true }),
      (draw) => turned(draw, { packed: true }),
      (draw) => turned(draw, { offset: true }),
      (draw) => turned(draw, { dtype: 'f16' }),
    ],
  },
}

const int = (value: number) => ({ int: value })

/** [1 or B, 1 or N, S, S] */
function scoreBias(draw: Draw, B: number, N: number, S: number): Tensor {
  return draw.floats([draw.pick([1, B]), draw.pick([1, N]), S, S], { reach: 3 })
}

interface MultiHeadForm {
  readonly masked?: boolean
  readonly biased?: boolean
  readonly causal?: boolean
  readonly filter?: number
}

function multiHead(draw: Draw, { masked, biased, causal, filter }: MultiHeadForm): Trial {
  const [B, S, N, D] = [draw.int(1, 3), draw.int(1, 6), draw.int(1, 3), draw.int(1, 9)]
  const part = () => draw.floats([B, S, N * D])
  const operands = [
    part(),
    part(),
    part(),
    undefined,
    masked ? draw.ints([B], 1, S) : undefined,
    ...(biased ? [scoreBias(draw, B, N, S)] : []),
  ]
  return trialOf('MultiHeadAttention', operands, {
    num_heads: int(N),
    ...(causal && { unidirectional: int(1) }),
    ...(filter !== undefined && { mask_filter_value: { float: filter } }),
    ...(draw.chance() && { scale: { float: 0.4 } }),
  })
}

interface GroupedForm {
  readonly packed?: boolean
  /** Present and undefined: the attribute is left out. */
  readonly causal?: boolean | undefined
  readonly turned?: boolean
  readonly interleaved?: boolean
  readonly biased?: boolean
  readonly window?: number
  readonly dtype?: Dtype
}

/** Tokens past a row's end are computed by neither in the same way, and used by nobody. */
function grouped(draw: Draw, form: GroupedForm): Trial {
  const { turned = false, dtype = 'f32' } = form
  const [B, S, keyHeads] = [draw.int(1, 3), draw.int(1, 6), draw.int(1, 2)]
  const N = keyHeads * draw.int(1, 3)
  const D = turned ? 16 : 8
  const part = (heads: number) => draw.floats([B, S, heads * D], { dtype })
  const lasts = draw.ints([B], 0, S - 1)
  // ONNX Runtime wants the longest row to be as long as the query.
  lasts.data[0] = S - 1
  const operands = [
    ...(form.packed
      ? [part(N + 2 * keyHeads), undefined, undefined]
      : [part(N), part(keyHeads), part(keyHeads)]),
    undefined,
    undefined,
    lasts,
    tensorOf('i32', [], [S]),
    ...(turned
      ? [draw.floats([S, D / 2], { dtype }), draw.floats([S, D / 2], { dtype })]
      : [undefined, undefined]),
    undefined,
    form.biased ? scoreBias(draw, B, N, S) : undefined,
  ]
  const attributes: Attributes = {
    num_heads: int(N),
    kv_num_heads: int(keyHeads),
    ...(!('causal' in form) && { causal: int(0) }),
    ...(form.causal && { causal: int(1) }),
    ...(turned && { do_rotary: int(1) }),
    ...(form.interleaved && { rotary_interleaved: int(1) }),
    ...(form.window !== undefined && { local_window_size: int(form.window) }),
    ...(draw.chance() && { scale: { float: 0.2 } }),
  }
  const width = N * D
  const isToken = (index: number) => {
    const token = Math.floor(index / width)
    return token % S <= at(lasts.data, Math.floor(token / S))
  }
  return { ...trialOf('GroupQueryAttention', operands, attributes), counts: isToken }
}

interface PackedForm {
  readonly interleaved?: boolean
  /** With the bias of the projections. */
  readonly projected?: boolean
  readonly biased?: boolean
}

/** The same attention twice: packed for the interpreter, padded for ONNX Runtime. */
function packed(draw: Draw, { interleaved, projected, biased }: PackedForm): Trial {
  const [B, N, D] = [draw.int(1, 4), draw.int(1, 3), draw.int(1, 5)]
  const lengths = Array.from({ length: B }, () => draw.int(1, 6))
  const [T, S] = [lengths.reduce((sum, length) => sum + length, 0), Math.max(...lengths) + draw.int(0, 2)]
  const bounds = [
    0,
    ...lengths.map((_, b) => lengths.slice(0, b + 1).reduce((sum, length) => sum + length, 0)),
  ]
  const parts = [0, 1, 2].map(() => draw.floats([T, N * D])) as [Tensor, Tensor, Tensor]
  const projection = projected ? draw.floats([3 * N * D]) : undefined
  const bias = biased ? scoreBias(draw, B, N, S) : undefined
  const scale: Attributes = draw.chance() ? { scale: { float: 0.4 } } : {}

  const query = interleaved ? [interleave(parts, N, D), undefined, undefined] : parts
  const packedRows = lengths.flatMap((length, b) => Array.from({ length }, (_, s) => b * S + s))
  const others = Array.from({ length: B * S }, (_, place) => place).filter(
    (place) => !packedRows.includes(place),
  )
  const offsets = tensorOf('i32', [B, S], [...packedRows, ...others])
  const cumulative = tensorOf('i32', [B + 1], bounds)
  const attributes = { num_heads: int(N), ...scale }
  const operands = [...query, projection, offsets, cumulative, ...(bias === undefined ? [] : [bias])]
  const reference = padded({ parts, lengths, bounds, packedRows, S, projection, bias, attributes })
  return { ...trialOf('PackedMultiHeadAttention', operands, attributes), reference }
}

interface PaddedAttention {
  readonly parts: readonly Tensor[]
  readonly lengths: readonly number[]
  readonly bounds: readonly number[]
  /** The place of each token in [B·S]. */
  readonly packedRows: readonly number[]
  readonly S: number
  readonly projection: Tensor | undefined
  readonly bias: Tensor | undefined
  readonly attributes: Attributes
}

function padded({ parts, lengths, bounds, packedRows, S, projection, bias, attributes }: PaddedAttention) {
  const trial = new TrialGraph()
  const B = lengths.length
  const first = (b: number) => sizeAt(bounds, b)
  const places = lengths.flatMap((length, b) =>
    Array.from({ length: S }, (_, s) => first(b) + (s < length ? s : 0)),
  )
  const rows = parts.map((part) => trial.node('Gather', [part, tensorOf('i32', [B, S], places)])[0])
  const mask = tensorOf('i32', [B], lengths)
  const [context] = trial.node(
    'MultiHeadAttention',
    [...rows, projection, mask, ...(bias === undefined ? [] : [bias])],
    attributes,
  )
  const width = sizeAt((parts[0] as Tensor).dims, 1)
  const [flat] = trial.node('Reshape', [context, tensorOf('i64', [2], [B * S, width])])
  return trial.finish(trial.node('Gather', [flat, tensorOf('i32', [packedRows.length], packedRows)]))
}

/** [T, N·D] three times to [T, N, 3, D] */
function interleave(parts: readonly [Tensor, Tensor, Tensor], N: number, D: number): Tensor {
  const T = sizeAt(parts[0].dims, 0)
  const dims = [T, N, 3, D]
  const numbers = Array.from({ length: T * N * 3 * D }, (_, i) => {
    const d = i % D
    const part = parts[(Math.floor(i / D) % 3) as 0 | 1 | 2]
    const head = Math.floor(i / D / 3)
    return at(part.data, head * D + d)
  })
  return tensorOf('f32', dims, numbers)
}

interface TurnedForm {
  readonly interleaved?: boolean
  readonly packed?: boolean
  /** One position for the first token of each row. */
  readonly offset?: boolean
  readonly dtype?: Dtype
}

function turned(draw: Draw, { interleaved, packed: isPacked, offset, dtype = 'f32' }: TurnedForm): Trial {
  const [rows, N, half] = [isPacked ? 1 : draw.int(1, 3), draw.int(1, 3), draw.int(1, 4)]
  const places = 12
  const length = draw.int(1, isPacked ? 30 : 5)
  const positions = offset
    ? draw.ints([1], 0, places - length, 'i64')
    : draw.ints([rows, length], 0, places - 1, 'i64')
  const table = () => draw.floats([places, half], { dtype })
  const operands = [draw.floats([rows, length, N * 2 * half], { dtype }), positions, table(), table()]
  return trialOf('RotaryEmbedding', operands, {
    num_heads: int(N),
    ...(interleaved && { interleaved: int(1) }),
    ...(isPacked && { is_packed_batching: int(1) }),
  })
}

/** Norms of query and key within the node, which only CUDA's kernel takes, against norms before it. */
function groupedWithNorms(draw: Draw): Trial {
  const [B, S, keyHeads, D] = [draw.int(1, 3), draw.int(1, 6), draw.int(1, 2), 16]
  const N = keyHeads * draw.int(1, 3)
  const [query, key, value] = [N, keyHeads, keyHeads].map((heads) => draw.floats([B, S, heads * D]))
  const [queryNorm, keyNorm] = [draw.floats([D]), draw.floats([D])]
  const rest = [
    undefined,
    undefined,
    tensorOf('i32', [B], Array<number>(B).fill(S - 1)),
    tensorOf('i32', [], [S]),
    draw.floats([S, D / 2]),
    draw.floats([S, D / 2]),
  ]
  const epsilon = { float: 0.01 }
  const attributes: Attributes = { num_heads: int(N), kv_num_heads: int(keyHeads), do_rotary: int(1) }
  const nothing = Array<undefined>(5).fill(undefined)
  const operands = [query, key, value, ...rest, ...nothing, queryNorm, keyNorm]
  const own = trialOf('GroupQueryAttention', operands, { ...attributes, qk_norm_epsilon: epsilon })

  const trial = new TrialGraph()
  const normed = (x: Tensor | undefined, heads: number, weight: Tensor) => {
    const [single] = trial.node('Reshape', [x, tensorOf('i64', [2], [B * S * heads, D])])
    const [norm] = trial.node('SimplifiedLayerNormalization', [single, weight], { axis: int(-1), epsilon })
    return trial.node('Reshape', [norm, tensorOf('i64', [3], [B, S, heads * D])])[0]
  }
  const apart = [normed(query, N, queryNorm), normed(key, keyHeads, keyNorm), value, ...rest]
  return { ...own, reference: trial.finish(trial.node('GroupQueryAttention', apart, attributes)) }
}
