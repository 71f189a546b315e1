/**
 * Texts of SigLIP and SigLIP 2: transformers 5.23, models/siglip/modeling_siglip.py and models/siglip2/modeling_siglip2.py.
 * Every token sees every other, the padding at a text's end too, and the last of them is what is pooled.
 */
import type { ConfigReader } from '../config-reader.ts'
import type { PreNormLayer } from '../layers/encoder-plan.ts'
import { clipLayers } from './clip.ts'
import type { Family } from './family.ts'
import { layerNorm } from './names.ts'

/** What config.json may leave out, of texts and of pictures alike. */
export const SIGLIP = {
  hiddenSize: 768,
  heads: 12,
  width: 3072,
  layers: 12,
  activation: 'gelu_pytorch_tanh',
  epsilon: 1e-6,
  causal: false,
} as const

export const siglip: Family = {
  modelTypes: ['siglip_text_model', 'siglip2_text_model'],
  prefixes: ['text_model.', ''],
  probe: 'embeddings.token_embedding.weight',
  body: /^(embeddings|encoder|final_layer_norm)\./,
  ignored: [/^embeddings\.position_ids$/],
  plan(config) {
    const positions = config.int('max_position_embeddings', 64)
    return {
      order: 'pre',
      hiddenSize: config.int('hidden_size', SIGLIP.hiddenSize),
      vocabularySize: config.int('vocab_size', 32_000),
      maxTokens: positions,
      embeddings: {
        words: 'embeddings.token_embedding',
        positions: { name: 'embeddings.position_embedding', rows: positions, skip: 0 },
      },
      layers: siglipLayers(config),
      finalNorm: layerNorm('final_layer_norm', siglipEpsilon(config)),
    }
  },
}

export function siglipLayers(config: ConfigReader): PreNormLayer[] {
  return clipLayers(config, SIGLIP)
}

export function siglipEpsilon(config: ConfigReader): number {
  return config.fraction('layer_norm_eps', SIGLIP.epsilon)
}
