/**
 * PackedMultiHeadAttention: tokens of all rows one after the other, in and out. Flash attention from compute capability 8.0 on
 * (half precision, nothing added to scores), else TensorRT's, memory-efficient or plain kernels: ONNX Runtime chooses.
 */
import type { GraphBuilder } from '../builder.ts'
import type { FloatDtype, Value } from '../ir.ts'
import type { AttentionInputs } from '../kernels.ts'
import { matmul } from './cuda-parts.ts'
import type { Projected } from './cuda-projections.ts'
import { joinedBias, projectApart, turnBoth } from './cuda-projections.ts'
import { scoreBias } from './cuda-score-bias.ts'

export function packedAttention(
  b: GraphBuilder,
  dtype: FloatDtype,
  x: Value,
  inputs: AttentionInputs,
): Value {
  const { rotary, queryNorm, keyNorm, bias } = inputs
  // What an adapter adds has query, key and value one behind the other.
  const { adapter } = inputs.query
  if ([rotary, queryNorm, keyNorm, bias, adapter].every((part) => part === undefined)) {
    const added = scoreBias(b, dtype, inputs, undefined)
    return pack(b, inputs, [
      headsSideBySide(b, dtype, x, inputs),
      undefined,
      undefined,
      joinedBias(b, dtype, inputs),
      ...layoutOf(b, added),
    ])
  }
  const projected = projectApart(b, dtype, x, inputs)
  const added = scoreBias(b, dtype, inputs, projected)
  // Apart and with no bias of their own left they reach flash attention as they are: no kernel lays them out anew.
  const { query, key, value }: Projected = turnBoth(b, dtype, projected, inputs)
  return pack(b, inputs, [query, key, value, undefined, ...layoutOf(b, added)])
}

/**
 * [T, N, 3, D] out of one product whose weight has the rows of query, key and value head by head. One kernel of the attention
 * node adds the biases (which it wants query first, then key, then value) and lays the three apart. Without a product of all
 * three that same kernel would run, and a Split besides.
 */
function headsSideBySide(
  b: GraphBuilder,
  dtype: FloatDtype,
  x: Value,
  { query, key, value, heads, headWidth }: AttentionInputs,
): Value {
  const matrix = b.weight({
    dtype,
    parts: [query, key, value].map((linear) => linear.weight),
    turnRows: headWidth,
  })
  return b.reshape(matmul(b, x, matrix), ['T', heads, 3, headWidth])
}

/** token_offset tells B and S by its shape; its contents are for the plain kernels alone. */
function layoutOf(b: GraphBuilder, added: Value | undefined): (Value | undefined)[] {
  return [b.input('padded_places'), b.input('bounds'), added]
}

function pack(
  b: GraphBuilder,
  { heads, scale }: AttentionInputs,
  operands: readonly (Value | undefined)[],
): Value {
  const attributes = { num_heads: { int: heads }, scale: { float: scale } }
  return b.node('PackedMultiHeadAttention', operands, attributes)
}
