/** transformers 5.23, models/eurobert/modeling_eurobert.py: Llama's layers, each token seeing all others. */
import type { Family } from './family.ts'
import { llamaPlan } from './llama-layers.ts'
import { LLAMA_NAMES, readSizes } from './llama-settings.ts'
import { biasedIf, linear } from './names.ts'
import { readRotary } from './rope.ts'

const POOLINGS = { late: 'late', bos: 'cls', mean: 'mean' } as const

export const eurobert: Family = {
  ...LLAMA_NAMES,
  modelTypes: ['eurobert'],
  plan(config) {
    const sizes = readSizes(config)
    const rotary = readRotary(config, { headWidth: sizes.headWidth, theta: 10_000 })
    const projection = biasedIf(config.flag('attention_bias', false))
    return llamaPlan(config, {
      ...sizes,
      epsilon: 1e-5,
      causal: false,
      projection,
      output: projection,
      feedForward: biasedIf(config.flag('mlp_bias', false)),
      rotary: () => rotary,
    })
  },
  classifier: (config) => ({
    pooling: config.choice('classifier_pooling', POOLINGS, 'late'),
    dense: { ...linear('dense'), root: true, activation: 'gelu' },
    output: { ...linear('classifier'), root: true },
  }),
}
