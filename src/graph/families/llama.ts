/** transformers 5.23, models/llama/modeling_llama.py and models/mistral/modeling_mistral.py */
import type { Family } from './family.ts'
import { llamaPlan } from './llama-layers.ts'
import { LLAMA_NAMES, lastTokenClassifier, readSizes, windowOf } from './llama-settings.ts'
import { biasedIf } from './names.ts'
import { readRotary } from './rope.ts'

export const llama: Family = {
  ...LLAMA_NAMES,
  modelTypes: ['llama'],
  overflowsHalf: true,
  plan(config) {
    const sizes = readSizes(config)
    const rotary = readRotary(config, { headWidth: sizes.headWidth, theta: 10_000 })
    const projection = biasedIf(config.flag('attention_bias', false))
    return llamaPlan(config, {
      ...sizes,
      causal: config.flag('is_causal', true),
      projection,
      output: projection,
      feedForward: biasedIf(config.flag('mlp_bias', false)),
      rotary: () => rotary,
    })
  },
  classifier: lastTokenClassifier,
}

export const mistral: Family = {
  ...LLAMA_NAMES,
  modelTypes: ['mistral'],
  overflowsHalf: true,
  plan(config) {
    const sizes = readSizes(config, { keyHeads: 8 })
    const rotary = readRotary(config, { headWidth: sizes.headWidth, theta: 10_000 })
    const causal = config.flag('is_causal', true)
    const window = windowOf(config.optionalInt('sliding_window', 4096), causal)
    return llamaPlan(config, { ...sizes, causal, rotary: () => rotary, window: () => window })
  },
  classifier: lastTokenClassifier,
}
