/** Query, key and value before any of CUDA's attention kernels. */
import type { GraphBuilder } from '../builder.ts'
import type { FloatDtype, Value } from '../ir.ts'
import type { AttentionInputs, Rotary } from '../kernels.ts'
import type { Norm } from '../tensor-table.ts'
import { joinBiases, normHeads } from './attention-parts.ts'
import { addAdapters, addBias, matmul, norm, project, sharedCast, vectors, weight } from './cuda-parts.ts'

export interface Projected {
  /** [T, N·D] */
  readonly query: Value
  /** [T, Nkv·D] */
  readonly key: Value
  readonly value: Value
}

/** Biases of query, key and value one behind the other: [(N + 2 Nkv) D]. */
export function joinedBias(
  b: GraphBuilder,
  dtype: FloatDtype,
  { query, key, value }: AttentionInputs,
): Value | undefined {
  return joinBiases(b, [query, key, value], {
    join: (biases) => vectors(b, dtype, biases),
    make: (bias) => vectors(b, dtype, [bias]),
  })
}

/** All three in one product, [T, (N + 2 Nkv) D]: query, key, value. */
export function projectJoined(b: GraphBuilder, dtype: FloatDtype, x: Value, inputs: AttentionInputs): Value {
  const linears = [inputs.query, inputs.key, inputs.value]
  const matrix = weight(
    b,
    dtype,
    linears.map((linear) => linear.weight),
  )
  const y = addAdapters(b, dtype, { x, y: matmul(b, x, matrix) }, linears)
  return addBias(b, y, joinedBias(b, dtype, inputs))
}

/** With their norms, not yet turned. */
export function projectApart(
  b: GraphBuilder,
  dtype: FloatDtype,
  x: Value,
  inputs: AttentionInputs,
): Projected {
  const { query, key, value, headWidth, queryNorm, keyNorm, heads, keyHeads } = inputs
  // A large product and a copy beat three small products; Split cuts equal parts only.
  const [q, k, v] =
    heads === keyHeads
      ? b.outputs('Split', [projectJoined(b, dtype, x, inputs)], {
          axis: { int: 1 },
          num_outputs: { int: 3 },
        })
      : [query, key, value].map((linear) => project(b, dtype, x, linear))
  const ownNorm = (states: Value, own: Norm) => norm(b, dtype, states, own)
  return {
    query: normHeads(b, q as Value, queryNorm, headWidth, ownNorm),
    key: normHeads(b, k as Value, keyNorm, headWidth, ownNorm),
    value: v as Value,
  }
}

export function turnBoth(
  b: GraphBuilder,
  dtype: FloatDtype,
  projected: Projected,
  { rotary, heads, keyHeads }: AttentionInputs,
): Projected {
  if (rotary === undefined) return projected
  const { query, key, value } = projected
  const tables = tablesOf(b, dtype, rotary)
  return { query: turn(b, query, heads, tables), key: turn(b, key, keyHeads, tables), value }
}

/** Made in float32, and rounded last. */
export function tablesOf(b: GraphBuilder, dtype: FloatDtype, rotary: Rotary): Rotary {
  return { ...rotary, cos: sharedCast(b, rotary.cos, dtype), sin: sharedCast(b, rotary.sin, dtype) }
}

/**
 * All tokens as one row. A batch that is packed is exempt from the check that the row fits the tables; positions index them
 * freely. The kernel's grid has T in its second place, which ends at 65 535.
 */
function turn(b: GraphBuilder, x: Value, heads: number, { cos, sin, interleaved }: Rotary): Value {
  const width = x.shape[1] as number
  const positions = b.share('positions of one row', () =>
    b.cast(b.reshape(b.input('positions'), [1, 'T']), 'i64'),
  )
  const turned = b.node('RotaryEmbedding', [b.reshape(x, [1, 'T', width]), positions, cos, sin], {
    num_heads: { int: heads },
    is_packed_batching: { int: 1 },
    ...(interleaved && { interleaved: { int: 1 } }),
  })
  return b.reshape(turned, ['T', width])
}
