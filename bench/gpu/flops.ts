/**
 * Floating-point operations that a model needs for a text, matrix products alone; a product and a sum count as two. With
 * T tokens, width H, N heads and K key heads of D, inner width I, and for each layer:
 *
 *   linear     2·T·(H·N·D + 2·H·K·D + N·D·H + m·H·I), m = 2 for a plain feed-forward block, 3 for a gated one
 *   attention  4·N·D·(pairs of tokens that see each other): T² of them; T·(T+1)/2 where a token sees what stands before
 *              it; at most 2·reach+1 a token in a local layer
 *
 * It is what the model needs, not what a kernel does: padding, and masked pairs that are computed all the same, lower the
 * share of the card's peak, as they should. Embeddings, norms, pooling and activations are left out: below 1 %.
 */
import type { Shape } from '../../tools/random-model/shapes.ts'

export interface Flops {
  readonly linear: number
  readonly attention: number
}

export function countFlops(shape: Shape, lengths: readonly number[]): Flops {
  const tokens = lengths.reduce((sum, length) => sum + length, 0)
  return {
    linear: 2 * tokens * shape.layers * weightsOfLayer(shape),
    attention: lengths.reduce((sum, length) => sum + attentionOf(shape, length), 0),
  }
}

function weightsOfLayer({ family, hidden, heads, keyHeads, headWidth, inner }: Shape): number {
  const isGated = family === 'qwen3' || family === 'modernbert'
  const attention = 2 * hidden * heads * headWidth + 2 * hidden * keyHeads * headWidth
  return attention + (isGated ? 3 : 2) * hidden * inner
}

function attentionOf({ family, layers, heads, headWidth, window }: Shape, length: number): number {
  const perPair = 4 * heads * headWidth
  if (family === 'qwen3') return (perPair * layers * length * (length + 1)) / 2
  if (window === undefined) return perPair * layers * length * length
  const globalLayers = Math.ceil(layers / window.globalEvery)
  const localPairs = pairsWithin(length, window.reach)
  return perPair * (globalLayers * length * length + (layers - globalLayers) * localPairs)
}

/** Pairs of places no further apart than `reach`, each counted in both directions and with itself. */
function pairsWithin(length: number, reach: number): number {
  const near = Math.min(reach, length - 1)
  return length + near * (2 * length - near - 1)
}
