/** What attention is made of on every provider. */
import type { TensorRef } from '../../model/spec.ts'
import type { GraphBuilder } from '../builder.ts'
import type { Dtype, Value } from '../ir.ts'
import type { AttentionInputs, HeadNorm } from '../kernels.ts'
import type { Linear, Norm } from '../tensor-table.ts'

/** Inputs that tell where rows, or pieces, end: for those that look, or for those that are looked at. */
export type LastRole =
  | 'last_positions'
  | 'last_piece_positions'
  | 'last_seen_positions'
  | 'last_seen_piece_positions'

/** [T, Nkv·D] to [T, N·D]: every key head once for each query head that it serves. */
export function repeatHeads(
  b: GraphBuilder,
  x: Value,
  { heads, keyHeads, headWidth }: Pick<AttentionInputs, 'heads' | 'keyHeads' | 'headWidth'>,
): Value {
  if (heads === keyHeads) return x
  const copies = heads / keyHeads
  const single = b.reshape(x, ['T', keyHeads, 1, headWidth])
  return b.reshape(b.concat(Array<Value>(copies).fill(single), 2), ['T', heads * headWidth])
}

/** Heads side by side, [T, ·], each by itself or all as one; `norm`: the provider's. */
export function normHeads(
  b: GraphBuilder,
  x: Value,
  headNorm: HeadNorm | undefined,
  headWidth: number,
  norm: (x: Value, norm: Norm) => Value,
): Value {
  if (headNorm === undefined) return x
  if (headNorm.over === 'all') return norm(x, headNorm.norm)
  const width = x.shape[1] as number
  const heads = b.reshape(x, ['T', width / headWidth, headWidth])
  return b.reshape(norm(heads, headNorm.norm), ['T', width])
}

/** Tokens of each row or piece: what MultiHeadAttention takes as its mask. */
export function lengthsOf(b: GraphBuilder, last: LastRole): Value {
  return b.share(`${last} + 1`, () => b.node('Add', [b.input(last), b.constant(Int32Array.of(1), [1])]))
}

/**
 * Biases of projections that are made in one product, one behind the other; undefined where none has any. `join`: those of
 * all of them as one vector, where each has one; `make`: a vector alone, in the dtype of the product.
 */
export function joinBiases(
  b: GraphBuilder,
  parts: readonly Linear[],
  { join, make }: BiasMakers,
): Value | undefined {
  const biases = parts.flatMap(({ bias }) => bias ?? [])
  if (biases.length === 0) return undefined
  if (biases.length === parts.length) return join(biases)
  const made = parts.map(({ bias }) => bias && make(bias))
  const dtype = made.find((vector) => vector !== undefined)?.dtype as Dtype
  const vectors = made.map((vector, index) => {
    if (vector !== undefined) return vector
    const width = parts[index]?.weight.values.shape[0] as number
    return b.cast(b.constant(new Float32Array(width), [width]), dtype)
  })
  return b.concat(vectors, 0)
}

interface BiasMakers {
  readonly join: (biases: readonly TensorRef[]) => Value
  readonly make: (bias: TensorRef) => Value
}
