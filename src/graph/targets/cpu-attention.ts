/**
 * Self-attention on the CPU. GroupQueryAttention is the fastest kernel of the CPU provider, bidirectional or not, turns
 * query and key itself, and skips what lies past a row's end. Heads that it does not take go to MultiHeadAttention.
 * Within a window, pieces of rows stand where rows would: what is between two tokens does not change, and neither kernel
 * looks at more of a long row than it needs.
 */
import type { GraphBuilder } from '../builder.ts'
import type { Attribute, Value } from '../ir.ts'
import { windowBias } from '../layers/position-bias.ts'
import type { AttentionInputs, Rotary } from '../kernels.ts'
import type { Norm } from '../tensor-table.ts'
import type { LastRole } from './attention-parts.ts'
import { lengthsOf, normHeads, repeatHeads } from './attention-parts.ts'
import type { Products } from './cpu-kernels.ts'
import { norm } from './cpu-parts.ts'

/** GroupQueryAttention wants heads of a multiple of this many numbers, and turns those of a multiple of twice as many. */
const HEAD_STEP = 8

/** The lowest float32: what a score becomes that is not to be seen. */
const HIDDEN = -3.402_823_466_385_288_6e38

/** Which inputs lay packed tokens side by side, and back. */
interface Sides {
  readonly padded: 'padded_rows' | 'padded_pieces'
  readonly packed: 'packed_rows' | 'packed_pieces'
  readonly last: LastRole
  readonly longest: 'max_length' | 'max_piece_length'
  readonly steps: 'steps' | 'piece_steps'
  readonly flat: 'B*S' | 'P*C'
}

const ROWS: Sides = {
  padded: 'padded_rows',
  packed: 'packed_rows',
  last: 'last_positions',
  longest: 'max_length',
  steps: 'steps',
  flat: 'B*S',
}

const PIECES: Sides = {
  padded: 'padded_pieces',
  packed: 'packed_pieces',
  last: 'last_piece_positions',
  longest: 'max_piece_length',
  steps: 'piece_steps',
  flat: 'P*C',
}

export function attention(b: GraphBuilder, x: Value, inputs: AttentionInputs, products: Products): Value {
  const sides = sidesOf(inputs)
  const context = isGrouped(inputs)
    ? groupedAttention(b, x, inputs, products)
    : plainAttention(b, x, inputs, products)
  return b.gather(b.reshape(context, [sides.flat, context.shape[2] as number]), b.input(sides.packed))
}

/** The kernel's own window is counted from a row's last key, as if its last query stood there. */
function isGrouped({ headWidth, causal, window, hidesUnseen }: AttentionInputs): boolean {
  return headWidth % HEAD_STEP === 0 && !(hidesUnseen && causal && window !== undefined)
}

/** What is added to scores is made for whole rows. Kernels stop at a row's keys alone: a token past them looks all the same. */
function sidesOf({ window, bias, hidesUnseen }: AttentionInputs): Sides {
  const isWhole = window === undefined || bias !== undefined
  if (!hidesUnseen) return isWhole ? ROWS : PIECES
  return isWhole ? { ...ROWS, last: 'last_seen_positions' } : { ...PIECES, last: 'last_seen_piece_positions' }
}

function groupedAttention(b: GraphBuilder, x: Value, inputs: AttentionInputs, products: Products): Value {
  const { heads, keyHeads, headWidth, rotary, causal, window, scale } = inputs
  const sides = sidesOf(inputs)
  const turnsItself = rotary !== undefined && headWidth % (2 * HEAD_STEP) === 0
  // The kernel's own window is for causal attention only.
  const biased = causal ? { ...inputs, window: undefined } : inputs
  const joined = inputs.bias === undefined && inputs.queryNorm === undefined && inputs.keyNorm === undefined
  const { query, key, value, bias } =
    joined && (rotary === undefined || turnsItself)
      ? { ...projectJoined(b, x, inputs, products), bias: scoreBias(b, biased, undefined) }
      : projectApart(b, x, { ...biased, rotary: turnsItself ? undefined : rotary }, products)
  const operands = [
    ...[query, key, value].map((part) => part && b.gather(part, b.input(sides.padded))), // [B, S, ·]
    undefined,
    undefined,
    b.input(sides.last),
    b.input(sides.longest),
    ...(turnsItself ? [rotary.cos, rotary.sin] : [undefined, undefined]),
    undefined,
    bias,
  ]
  const attributes: Record<string, Attribute> = {
    num_heads: { int: heads },
    kv_num_heads: { int: keyHeads },
    causal: { int: causal ? 1 : 0 },
    scale: { float: scale },
  }
  if (turnsItself) attributes['do_rotary'] = { int: 1 }
  if (turnsItself && rotary.interleaved) attributes['rotary_interleaved'] = { int: 1 }
  // It counts the token itself.
  if (causal && window !== undefined) attributes['local_window_size'] = { int: window + 1 }
  return b.node('GroupQueryAttention', operands, attributes)
}

/** For the few models with odd heads (rubert-tiny2: 26 numbers): about half as fast. */
function plainAttention(b: GraphBuilder, x: Value, inputs: AttentionInputs, products: Products): Value {
  const { heads, causal, scale } = inputs
  const sides = sidesOf(inputs)
  const { query, key, value, bias } = projectApart(b, x, inputs, products)
  const spread = (part: Value) => repeatHeads(b, part, inputs)
  const padded = [query, spread(key), spread(value)].map((part) => b.gather(part, b.input(sides.padded)))
  const attributes: Record<string, Attribute> = { num_heads: { int: heads }, scale: { float: scale } }
  if (causal) attributes['unidirectional'] = { int: 1 }
  return b.node('MultiHeadAttention', [...padded, undefined, lengthsOf(b, sides.last), bias], attributes)
}

/** Query, key and value in one product: [T, (N + 2 Nkv) D]. */
function projectJoined(
  b: GraphBuilder,
  x: Value,
  { query, key, value }: AttentionInputs,
  products: Products,
) {
  return { query: products.projectJoined(b, x, [query, key, value]), key: undefined, value: undefined }
}

interface Projected {
  /** [T, N·D] */
  readonly query: Value
  /** [T, Nkv·D] */
  readonly key: Value
  readonly value: Value
  readonly bias: Value | undefined
}

/** Rotary of the inputs: where the attention kernel does not turn query and key itself. */
function projectApart(b: GraphBuilder, x: Value, inputs: AttentionInputs, { project }: Products): Projected {
  const { heads, keyHeads, headWidth, rotary } = inputs
  const ownNorm = (states: Value, own: Norm) => norm(b, states, own)
  const query = normHeads(b, project(b, x, inputs.query), inputs.queryNorm, headWidth, ownNorm)
  const key = normHeads(b, project(b, x, inputs.key), inputs.keyNorm, headWidth, ownNorm)
  const bias = scoreBias(b, inputs, { query, key })
  return {
    query: rotary === undefined ? query : turn(b, query, heads, rotary),
    key: rotary === undefined ? key : turn(b, key, keyHeads, rotary),
    value: project(b, x, inputs.value),
    bias,
  }
}

function scoreBias(
  b: GraphBuilder,
  inputs: AttentionInputs,
  projected: { readonly query: Value; readonly key: Value } | undefined,
): Value | undefined {
  const { bias, window } = inputs
  const band = window === undefined ? undefined : windowBias(b, window, HIDDEN, sidesOf(inputs).steps)
  const own = bias && projected && bias(projected.query, projected.key)
  return band && own ? b.node('Add', [own, band]) : (own ?? band)
}

/** Each token as a row of its own, because the kernel refuses rows longer than its tables. */
function turn(b: GraphBuilder, x: Value, heads: number, { cos, sin, interleaved }: Rotary): Value {
  const width = x.shape[1] as number
  const positions = b.share('positions i64', () => b.cast(b.reshape(b.input('positions'), ['T', 1]), 'i64'))
  const tokens = b.reshape(x, ['T', 1, width])
  const turned = b.node('RotaryEmbedding', [tokens, positions, cos, sin], {
    num_heads: { int: heads },
    ...(interleaved && { interleaved: { int: 1 } }),
  })
  return b.reshape(turned, ['T', width])
}
