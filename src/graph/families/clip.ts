/** transformers 5.23, models/clip/modeling_clip.py: the text side. */
import type { ConfigReader } from '../config-reader.ts'
import { ACTIVATION_NAMES } from '../layers/activation.ts'
import type { PreNormLayer } from '../layers/encoder-plan.ts'
import type { Family } from './family.ts'
import { layerNorm, linear } from './names.ts'
import { preNormLayer } from './pre-norm.ts'

/** What older checkpoints say is their end token, and is not: theirs is the greatest id of every text. */
const MISTAKEN_END = 2

export const clip: Family = {
  modelTypes: ['clip_text_model'],
  prefixes: ['text_model.', '', 'clip.text_model.'],
  probe: 'embeddings.token_embedding.weight',
  body: /^(embeddings|encoder|final_layer_norm)\./,
  ignored: [/^embeddings\.position_ids$/],
  plan(config) {
    const hiddenSize = config.int('hidden_size', 512)
    const positions = config.int('max_position_embeddings', 77)
    const endId = config.int('eos_token_id', 49_407, 0)
    return {
      order: 'pre',
      hiddenSize,
      vocabularySize: config.int('vocab_size', 49_408),
      maxTokens: positions,
      embeddings: {
        words: 'embeddings.token_embedding',
        positions: { name: 'embeddings.position_embedding', rows: positions, skip: 0 },
      },
      endId: endId === MISTAKEN_END ? 'greatest' : endId,
      layers: clipLayers(config, {
        hiddenSize,
        heads: 8,
        width: 2048,
        layers: 12,
        activation: 'quick_gelu',
        epsilon: 1e-5,
        causal: true,
      }),
      finalNorm: layerNorm('final_layer_norm', config.fraction('layer_norm_eps', 1e-5)),
    }
  },
}

/** What config.json may leave out. */
export interface ClipDefaults {
  readonly hiddenSize: number
  readonly heads: number
  readonly width: number
  readonly layers: number
  readonly activation: keyof typeof ACTIVATION_NAMES
  readonly epsilon: number
  readonly causal: boolean
}

/** Layers by CLIP's names, which its relatives share, `encoder.layers.0` and on. */
export function clipLayers(config: ConfigReader, defaults: ClipDefaults): PreNormLayer[] {
  const heads = config.int('num_attention_heads', defaults.heads)
  const sizes = {
    heads,
    headWidth: config.split('hidden_size', heads, defaults.hiddenSize),
    epsilon: config.fraction('layer_norm_eps', defaults.epsilon),
    causal: defaults.causal,
  }
  const width = config.int('intermediate_size', defaults.width)
  const activation = config.choice('hidden_act', ACTIVATION_NAMES, defaults.activation)
  return Array.from({ length: config.count('num_hidden_layers', defaults.layers) }, (_, index) => {
    const layer = `encoder.layers.${index}`
    const names = {
      query: linear(`${layer}.self_attn.q_proj`),
      key: linear(`${layer}.self_attn.k_proj`),
      value: linear(`${layer}.self_attn.v_proj`),
      output: `${layer}.self_attn.out_proj`,
      attentionNorm: `${layer}.layer_norm1`,
      feedForwardNorm: `${layer}.layer_norm2`,
    }
    const [up, down] = [linear(`${layer}.mlp.fc1`), linear(`${layer}.mlp.fc2`)]
    return preNormLayer(names, sizes, { kind: 'plain', up, down, width, activation })
  })
}
