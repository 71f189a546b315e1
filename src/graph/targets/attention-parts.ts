/** What attention is made of on every provider. */
import { ServerError } from '../../errors.ts'
import type { TensorRef } from '../../model/spec.ts'
import type { GraphBuilder } from '../builder.ts'
import type { Value } from '../ir.ts'
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

/** Biases of projections that are made in one product: of all, or of none. Throws `graph_invalid` for some. */
export function biasesOf(parts: readonly Linear[]): readonly TensorRef[] {
  const biases = parts.flatMap(({ bias }) => bias ?? [])
  if (biases.length > 0 && biases.length < parts.length)
    throw new ServerError('graph_invalid', 'only some of query, key and value have a bias')
  return biases
}
