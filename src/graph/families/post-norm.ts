/** A layer of the BERT kind: attention of full width, then two linear layers, each with a norm after its sum. */
import type { HiddenActivation } from '../layers/activation.ts'
import type { PostNormLayer } from '../layers/encoder-plan.ts'
import { layerNorm, linear } from './names.ts'

export interface PostNormSizes {
  /** N */
  readonly heads: number
  /** D */
  readonly headWidth: number
  /** I */
  readonly width: number
  readonly activation: HiddenActivation
  /** Of the norms. */
  readonly epsilon: number
}

export interface PostNormNames {
  readonly query: string
  readonly key: string
  readonly value: string
  readonly output: string
  readonly attentionNorm: string
  readonly up: string
  readonly down: string
  readonly feedForwardNorm: string
}

/** Every linear layer has a bias. */
export function postNormLayer(names: PostNormNames, sizes: PostNormSizes): PostNormLayer {
  const { heads, headWidth, width, activation, epsilon } = sizes
  return {
    attention: {
      query: linear(names.query),
      key: linear(names.key),
      value: linear(names.value),
      output: linear(names.output),
      heads,
      keyHeads: heads,
      headWidth,
      causal: false,
    },
    feedForward: { kind: 'plain', up: linear(names.up), down: linear(names.down), width, activation },
    norms: {
      attention: layerNorm(names.attentionNorm, epsilon),
      feedForward: layerNorm(names.feedForwardNorm, epsilon),
    },
  }
}
