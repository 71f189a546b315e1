/**
 * MultiHeadAttention: rows side by side, for what the other two refuse. With a bias it is fast (memory-efficient kernels) only
 * where there is no mask: so a window carries the ends of rows with it, and so does what is not seen, as kernels that take
 * lengths for a mask may take them for the queries' too. All else has the lengths as its mask, which every kernel that takes one
 * applies exactly.
 */
import type { GraphBuilder } from '../builder.ts'
import type { FloatDtype, Value } from '../ir.ts'
import type { AttentionInputs } from '../kernels.ts'
import { lengthsOf, repeatHeads } from './attention-parts.ts'
import type { Attributes } from './cuda-parts.ts'
import { projectApart, turnBoth } from './cuda-projections.ts'
import { biasWithinRows, scoreBias } from './cuda-score-bias.ts'

export function plainAttention(b: GraphBuilder, dtype: FloatDtype, x: Value, inputs: AttentionInputs): Value {
  const { heads, headWidth, scale, causal, window, bias, hidesUnseen } = inputs
  const projected = projectApart(b, dtype, x, inputs)
  const hidesEnds = hidesUnseen || (window !== undefined && bias === undefined)
  const added = (hidesEnds ? biasWithinRows : scoreBias)(b, dtype, inputs, projected)
  const { query, key, value } = turnBoth(b, dtype, projected, inputs)
  const spread = (part: Value) => repeatHeads(b, part, inputs)
  const padded = [query, spread(key), spread(value)].map((part) => b.gather(part, b.input('padded_rows')))
  const attributes: Attributes = { num_heads: { int: heads }, scale: { float: scale } }
  if (causal) attributes['unidirectional'] = { int: 1 }
  const operands = [...padded, undefined, hidesEnds ? undefined : lengthsOf(b, 'last_positions'), added]
  const context = b.node('MultiHeadAttention', operands, attributes)
  return b.gather(b.reshape(context, ['B*S', heads * headWidth]), b.input('packed_rows'))
}
