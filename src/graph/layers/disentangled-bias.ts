/** The part of attention scores that comes of tokens and distances together: [B, N, S, S] float32. */
import type { GraphBuilder } from '../builder.ts'
import type { Value } from '../ir.ts'
import type { BucketsPlan, DisentangledPlan, LinearPlan } from './encoder-plan.ts'
import type { Workshop } from './encoder.ts'
import { distanceBuckets } from './position-bias.ts'

export interface ScoreSizes {
  /** H */
  readonly hiddenSize: number
  /** N */
  readonly heads: number
  /** D */
  readonly headWidth: number
  /** Factor of the scores. */
  readonly scale: number
}

/** Tokens as they were projected, [T, N·D], and what the distances are to be projected with. */
interface Side {
  readonly name: 'query' | 'key'
  readonly tokens: Value
  readonly projection: LinearPlan
}

/** `query` and `key` are projected, [T, N·D]. Of its two projections the plan has one at least. */
export function disentangledBias(
  shop: Workshop,
  plan: DisentangledPlan,
  sizes: ScoreSizes,
  { query, key }: { readonly query: Value; readonly key: Value },
): Value {
  const sides: Side[] = []
  if (plan.key !== undefined) sides.push({ name: 'query', tokens: query, projection: plan.key })
  if (plan.query !== undefined) sides.push({ name: 'key', tokens: key, projection: plan.query })
  const terms = sides.map((side) => scoresOf(shop, plan, sizes, side))
  const { b } = shop
  return b.cast(
    terms.reduce((sum, term) => b.node('Add', [sum, term])),
    'f32',
  )
}

/** Of every token with the vector of each distance, then of every pair by its distance. */
function scoresOf(shop: Workshop, plan: DisentangledPlan, sizes: ScoreSizes, side: Side): Value {
  const { b } = shop
  const { heads, headWidth } = sizes
  const split = b.reshape(side.tokens, ['T', heads, headWidth])
  const tokens = b.node('Transpose', [split], { perm: { ints: [1, 0, 2] } })
  const all = b.node('MatMul', [tokens, distanceVectors(shop, plan, sizes, side.projection)]) // [N, T, buckets]
  const own = b.node('GatherElements', [all, bucketsOf(b, plan, heads, side.name)], { axis: { int: 2 } })
  const byToken = b.node('Transpose', [own], { perm: { ints: [1, 0, 2] } })
  const padded = b.gather(byToken, b.input('padded_rows')) // [B, S, N, S], the side's own tokens first
  const perm = side.name === 'query' ? [0, 2, 1, 3] : [0, 2, 3, 1]
  return b.node('Transpose', [padded], { perm: { ints: perm } })
}

/** [N, D, buckets], with the factor of the scores: the same for every text, so that a provider may compute it once. */
function distanceVectors(
  { b, kernels, tensors }: Workshop,
  { table, norm }: DisentangledPlan,
  { hiddenSize, heads, headWidth, scale }: ScoreSizes,
  projection: LinearPlan,
): Value {
  const rows = b.share(`distances ${table.name}`, () => {
    const stored = tensors.table(table.name, table.rows, hiddenSize)
    const all = b.constant(
      Int32Array.from({ length: table.rows }, (_, row) => row),
      [table.rows],
    )
    const vectors = kernels.lookup(b, stored, all)
    return norm === undefined ? vectors : kernels.norm(b, vectors, tensors.norm(norm, hiddenSize))
  })
  const linear = tensors.linear(projection, heads * headWidth, hiddenSize)
  const projected = b.reshape(kernels.linear(b, rows, linear, 'identity'), [table.rows, heads, headWidth])
  const vectors = b.node('Transpose', [projected], { perm: { ints: [1, 2, 0] } })
  return b.node('Mul', [vectors, b.cast(b.constant(Float32Array.of(scale), []), kernels.dtype)])
}

/** For each head and token the bucket of every place in its row, [N, T, S], the token being query or key. */
function bucketsOf(b: GraphBuilder, plan: BucketsPlan, heads: number, name: Side['name']): Value {
  const pairs = distanceBuckets(b, plan)
  return b.share(`${name} ${pairs.name} ${heads}`, () => {
    const turned = name === 'key' ? b.node('Transpose', [pairs], { perm: { ints: [0, 2, 1] } }) : pairs
    const byToken = b.gather(b.reshape(turned, ['S', 'S']), b.input('positions'))
    // GatherElements does not broadcast; adding zeros does.
    const zeros = b.constant(new Int32Array(heads), [heads, 1, 1])
    return b.node('Add', [byToken, zeros])
  })
}
