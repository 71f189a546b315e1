/** GroupQueryAttention: rows side by side, the end of each told by its length. Turns and normalizes query and key itself. */
import type { GraphBuilder } from '../builder.ts'
import type { FloatDtype, Value } from '../ir.ts'
import type { AttentionInputs } from '../kernels.ts'
import type { Attributes } from './cuda-parts.ts'
import { factorOf } from './cuda-parts.ts'
import type { Projected } from './cuda-projections.ts'
import { projectApart, projectJoined, tablesOf, turnBoth } from './cuda-projections.ts'

/** It turns heads of a multiple of this many numbers. */
const TURN_STEP = 16

/** Inputs that are left out: key and value of the past; positions, bias, sink, and the scales of a quantized cache. */
const PAST = [undefined, undefined]
const BETWEEN = [undefined, undefined, undefined, undefined, undefined]

export function groupedAttention(
  b: GraphBuilder,
  dtype: FloatDtype,
  x: Value,
  inputs: AttentionInputs,
): Value {
  const { rotary, heads, keyHeads, headWidth, scale, causal, window } = inputs
  const turnsItself = rotary !== undefined && headWidth % TURN_STEP === 0
  const norms = normsInside(inputs)
  const isJoined = (rotary === undefined || turnsItself) && norms !== undefined
  const { query, key, value }: Partial<Projected> = isJoined
    ? { query: projectJoined(b, dtype, x, inputs) }
    : turnOutside(b, dtype, x, inputs, turnsItself)
  const tables = turnsItself ? tablesOf(b, dtype, rotary) : undefined
  const factors = isJoined ? norms.map((headNorm) => factorOf(b, dtype, headNorm)) : []
  const operands = [
    ...[query, key, value].map((part) => part && b.gather(part, b.input('padded_rows'))), // [B, S, ·]
    ...PAST,
    b.input('last_positions'),
    b.input('max_length'),
    tables?.cos,
    tables?.sin,
    ...BETWEEN,
    ...factors,
  ]
  const attributes: Attributes = {
    num_heads: { int: heads },
    kv_num_heads: { int: keyHeads },
    scale: { float: scale },
    causal: { int: causal ? 1 : 0 },
  }
  if (turnsItself) attributes['do_rotary'] = { int: 1 }
  if (turnsItself && rotary.interleaved) attributes['rotary_interleaved'] = { int: 1 }
  // It counts the token itself.
  if (window !== undefined) attributes['local_window_size'] = { int: window + 1 }
  if (isJoined && norms[0] !== undefined) attributes['qk_norm_epsilon'] = { float: norms[0].epsilon }
  // The kernel writes key and value as for a cache, and does not ask whether anybody gave it room for them.
  const [context] = b.outputs('GroupQueryAttention', operands, attributes, { writesAll: true })
  return b.gather(b.reshape(context as Value, ['B*S', heads * headWidth]), b.input('packed_rows'))
}

/** Norms that the kernel does itself: of each head alone, RMS, with one epsilon. Undefined: there are others. */
function normsInside({ queryNorm, keyNorm }: AttentionInputs) {
  if (queryNorm === undefined && keyNorm === undefined) return []
  if (queryNorm === undefined || keyNorm === undefined) return undefined
  const both = [queryNorm, keyNorm]
  const fits = both.every(({ over, norm }) => over === 'head' && norm.kind === 'rms' && norm.epsilon > 0)
  if (!fits || queryNorm.norm.epsilon !== keyNorm.norm.epsilon) return undefined
  return both.map(({ norm }) => norm)
}

function turnOutside(
  b: GraphBuilder,
  dtype: FloatDtype,
  x: Value,
  inputs: AttentionInputs,
  turnsItself: boolean,
): Projected {
  const projected = projectApart(b, dtype, x, inputs)
  return turnsItself ? projected : turnBoth(b, dtype, projected, inputs)
}
