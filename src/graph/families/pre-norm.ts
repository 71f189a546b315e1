/** A layer of the ViT kind: attention of full width, then two linear layers, each with a norm before it. */
import type { AttentionPlan, FeedForwardPlan, LinearPlan, PreNormLayer } from '../layers/encoder-plan.ts'
import { layerNorm, linear } from './names.ts'

export interface PreNormSizes {
  /** N */
  readonly heads: number
  /** D */
  readonly headWidth: number
  /** Of the norms. */
  readonly epsilon: number
  /** A token sees only those before it, and itself. */
  readonly causal?: boolean
}

export interface PreNormNames {
  readonly query: LinearPlan
  readonly key: LinearPlan
  readonly value: LinearPlan
  readonly output: string
  readonly attentionNorm: string
  readonly feedForwardNorm: string
  /** Names of tensors [H]: a factor of each number that comes out of the step. */
  readonly scales?: { readonly attention: string; readonly feedForward: string }
}

export function preNormLayer(
  names: PreNormNames,
  sizes: PreNormSizes,
  feedForward: FeedForwardPlan,
): PreNormLayer {
  const { heads, headWidth, epsilon, causal = false } = sizes
  const { query, key, value, output, scales } = names
  const projections = { query, key, value, output: linear(output) }
  const attention: AttentionPlan = { ...projections, heads, keyHeads: heads, headWidth, causal }
  return {
    attention,
    feedForward,
    norms: {
      attention: layerNorm(names.attentionNorm, epsilon),
      feedForward: layerNorm(names.feedForwardNorm, epsilon),
      ...(scales && { attentionScale: scales.attention, feedForwardScale: scales.feedForward }),
    },
  }
}
