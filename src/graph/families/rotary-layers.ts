/** A layer whose norms stand behind its steps, as bodies with rotary positions have it. */
import type { HiddenActivation } from '../layers/activation.ts'
import type { PostNormLayer, LinearPlan, NormPlan, RotaryPlan } from '../layers/encoder-plan.ts'
import { layerNorm, partOf } from './names.ts'

export interface RotaryLayerSizes {
  /** N */
  readonly heads: number
  /** D */
  readonly headWidth: number
  /** I */
  readonly width: number
  readonly activation: HiddenActivation
  readonly rotary: RotaryPlan | undefined
}

export interface RotaryLayerNames {
  /** Query, key and value: three tensors, or one that holds their rows in this order. */
  readonly projections: readonly [LinearPlan, LinearPlan, LinearPlan] | LinearPlan
  readonly output: LinearPlan
  /** Left out, the step is a plain one. */
  readonly gate?: LinearPlan
  readonly up: LinearPlan
  readonly down: LinearPlan
  readonly attentionNorm: NormPlan
  readonly feedForwardNorm: NormPlan
}

/** The names that transformers 5 gives these models' layers, whatever their first files called them; all but those of the steps. */
export function renamedLayer(
  index: number,
  projection: (name: string) => LinearPlan,
  epsilon: number,
): Omit<RotaryLayerNames, 'gate' | 'up' | 'down'> {
  const layer = `layers.${index}`
  const attention = (name: string): LinearPlan => projection(`${layer}.self_attn.${name}`)
  return {
    projections: [attention('q_proj'), attention('k_proj'), attention('v_proj')],
    output: attention('o_proj'),
    attentionNorm: layerNorm(`${layer}.post_attention_layernorm`, epsilon),
    feedForwardNorm: layerNorm(`${layer}.post_mlp_layernorm`, epsilon),
  }
}

export function rotaryPostNormLayer(names: RotaryLayerNames, sizes: RotaryLayerSizes): PostNormLayer {
  const { heads, headWidth, width, activation, rotary } = sizes
  const { projections, gate, up, down } = names
  const [query, key, value] =
    'name' in projections
      ? [partOf(projections, 0, 3), partOf(projections, 1, 3), partOf(projections, 2, 3)]
      : projections
  return {
    attention: {
      query,
      key,
      value,
      output: names.output,
      heads,
      keyHeads: heads,
      headWidth,
      causal: false,
      ...(rotary && { rotary }),
    },
    feedForward:
      gate === undefined
        ? { kind: 'plain', up, down, width, activation }
        : { kind: 'gated', gate, up, down, width, activation },
    norms: { attention: names.attentionNorm, feedForward: names.feedForwardNorm },
  }
}
