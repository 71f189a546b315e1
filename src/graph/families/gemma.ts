/** transformers 5.23, models/gemma/modeling_gemma.py and models/gemma3/modeling_gemma3.py */
import type { ConfigReader } from '../config-reader.ts'
import { ACTIVATION_NAMES } from '../layers/activation.ts'
import type { NormPlan } from '../layers/encoder-plan.ts'
import type { Family } from './family.ts'
import { readLayerTypes } from './layer-types.ts'
import { llamaPlan } from './llama-layers.ts'
import { LLAMA_NAMES, lastTokenClassifier, readSizes, windowOf } from './llama-settings.ts'
import { biasedIf, rmsNorm } from './names.ts'
import { readRotary } from './rope.ts'

export const gemma: Family = {
  ...LLAMA_NAMES,
  modelTypes: ['gemma'],
  overflowsHalf: true,
  plan(config) {
    config.expect('use_bidirectional_attention', [false])
    const sizes = readSizes(config, { keyHeads: 16, headWidth: 256 })
    const rotary = readRotary(config, { headWidth: sizes.headWidth, theta: 10_000 })
    // The first releases say gelu and were trained with its approximation.
    const activations = { ...ACTIVATION_NAMES, gelu: 'gelu_tanh' } as const
    return llamaPlan(config, {
      ...sizes,
      ...readCommon(config),
      causal: config.flag('is_causal', true),
      rotary: () => rotary,
      activation: config.choice('hidden_act', activations, 'gelu_pytorch_tanh'),
    })
  },
  classifier: lastTokenClassifier,
}

export const gemma3: Family = {
  ...LLAMA_NAMES,
  modelTypes: ['gemma3_text'],
  overflowsHalf: true,
  plan(config) {
    config.expect('attn_logit_softcapping', [])
    config.expect('is_causal', [true])
    const sizes = readSizes(config, { keyHeads: 4, headWidth: 256 })
    const { headWidth } = sizes
    const full = readRotary(config, { headWidth, theta: 1_000_000, layerType: 'full_attention' })
    const local = { headWidth, theta: 10_000, thetaKey: 'rope_local_base_freq', scaled: false }
    const sliding = readRotary(config, { ...local, layerType: 'sliding_attention' })
    const period = config.int('sliding_window_pattern', 6)
    const slides = readLayerTypes(config, (index) => (index + 1) % period !== 0)
    const causal = !config.flag('use_bidirectional_attention', false)
    const size = config.int('sliding_window', 4096)
    const window = causal ? windowOf(size, causal) : Math.floor(size / 2)
    return llamaPlan(config, {
      ...sizes,
      ...readCommon(config),
      causal,
      headNorms: true,
      outputNorms: true,
      scale: config.positive('query_pre_attn_scalar', 256) ** -0.5,
      rotary: (index) => (slides(index) ? sliding : full),
      window: (index) => (slides(index) ? window : undefined),
      activation: config.choice('hidden_activation', ACTIVATION_NAMES, 'gelu_pytorch_tanh'),
    })
  },
  classifier: lastTokenClassifier,
}

/** Word vectors are scaled by √H, and the weight of every norm is stored less one. */
function readCommon(config: ConfigReader) {
  const projection = biasedIf(config.flag('attention_bias', false))
  return {
    projection,
    output: projection,
    norm: (name: string, epsilon: number): NormPlan => ({ ...rmsNorm(name, epsilon), plusOne: true }),
    wordScale: Math.sqrt(config.int('hidden_size')),
  }
}
