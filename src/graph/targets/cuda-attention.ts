/**
 * Self-attention on CUDA, by one of three kernels:
 * - packed: PackedMultiHeadAttention sees no padding at all. Bidirectional, as many key heads as query heads, no bfloat16.
 * - grouped: GroupQueryAttention, rows side by side. Causal or not, any number of key heads; no float32, heads of a multiple of
 *   8, no window without causality, and what is added to scores sends it to a slow path.
 * - plain: MultiHeadAttention, rows side by side, takes the rest, key heads repeated; and rows whose ends are not seen, which
 *   it is told by what is added to their scores.
 */
import type { GraphBuilder } from '../builder.ts'
import type { FloatDtype, Value } from '../ir.ts'
import type { AttentionInputs } from '../kernels.ts'
import { groupedAttention } from './cuda-grouped-attention.ts'
import { packedAttention } from './cuda-packed-attention.ts'
import { plainAttention } from './cuda-plain-attention.ts'

type AttentionKind = 'packed' | 'grouped' | 'plain'

/** GroupQueryAttention refuses heads of other widths. */
const HEAD_STEP = 8

export function attention(b: GraphBuilder, dtype: FloatDtype, x: Value, inputs: AttentionInputs): Value {
  const kind = attentionKind(dtype, inputs)
  switch (kind) {
    case 'packed':
      return packedAttention(b, dtype, x, inputs)
    case 'grouped':
      return groupedAttention(b, dtype, x, inputs)
    case 'plain':
      return plainAttention(b, dtype, x, inputs)
    default:
      return kind satisfies never
  }
}

function attentionKind(
  dtype: FloatDtype,
  { heads, keyHeads, headWidth, causal, window, bias, hidesUnseen }: AttentionInputs,
): AttentionKind {
  if (hidesUnseen) return 'plain'
  if (dtype !== 'bf16' && !causal && heads === keyHeads) return 'packed'
  const isBiased = bias !== undefined || (window !== undefined && !causal)
  if (dtype !== 'f32' && headWidth % HEAD_STEP === 0 && !isBiased) return 'grouped'
  return 'plain'
}
