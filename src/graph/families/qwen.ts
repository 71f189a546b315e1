/** transformers 5.23, models/qwen2/modeling_qwen2.py and models/qwen3/modeling_qwen3.py */
import type { ConfigReader } from '../config-reader.ts'
import type { Family } from './family.ts'
import { readLayerTypes } from './layer-types.ts'
import { llamaPlan } from './llama-layers.ts'
import { LLAMA_NAMES, lastTokenClassifier, readSizes, windowOf } from './llama-settings.ts'
import { biasedIf, linear } from './names.ts'
import { readRotary } from './rope.ts'

export const qwen2: Family = {
  ...LLAMA_NAMES,
  modelTypes: ['qwen2'],
  overflowsHalf: true,
  plan(config) {
    const sizes = readSizes(config, { keyHeads: 32 })
    const rotary = readRotary(config, { headWidth: sizes.headWidth, theta: 10_000 })
    return llamaPlan(config, { ...sizes, ...readMasks(config), projection: linear, rotary: () => rotary })
  },
  classifier: lastTokenClassifier,
}

export const qwen3: Family = {
  ...LLAMA_NAMES,
  modelTypes: ['qwen3'],
  overflowsHalf: true,
  plan(config) {
    const sizes = readSizes(config, { keyHeads: 32, headWidth: 128 })
    const rotary = readRotary(config, { headWidth: sizes.headWidth, theta: 10_000 })
    const projection = biasedIf(config.flag('attention_bias', false))
    return llamaPlan(config, {
      ...sizes,
      ...readMasks(config),
      projection,
      output: projection,
      headNorms: true,
      rotary: () => rotary,
    })
  },
  classifier: lastTokenClassifier,
}

/** Which tokens see which. */
function readMasks(config: ConfigReader) {
  const causal = config.flag('is_causal', true)
  const slidesAtAll = config.flag('use_sliding_window', false)
  const window = windowOf(slidesAtAll ? config.optionalInt('sliding_window', 4096) : undefined, causal)
  const from = config.int('max_window_layers', 28, 0)
  const slides = readLayerTypes(config, (index) => index >= from)
  return { causal, window: (index: number) => (slides(index) ? window : undefined) }
}
