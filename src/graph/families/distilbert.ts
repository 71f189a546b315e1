/** transformers 5.23, models/distilbert/modeling_distilbert.py: BERT without token types, by names of its own. */
import type { ConfigReader } from '../config-reader.ts'
import { ACTIVATION_NAMES } from '../layers/activation.ts'
import type { PostNormLayer } from '../layers/encoder-plan.ts'
import type { Family } from './family.ts'
import { layerNorm, linear } from './names.ts'
import { postNormLayer } from './post-norm.ts'

/** Not a setting of this family. */
const EPSILON = 1e-12

export const distilbert: Family = {
  modelTypes: ['distilbert'],
  prefixes: ['', 'distilbert.'],
  probe: 'embeddings.word_embeddings.weight',
  body: /^(embeddings|transformer)\./,
  ignored: [/^embeddings\.position_ids$/],
  plan(config) {
    const positions = config.int('max_position_embeddings')
    return {
      order: 'post',
      hiddenSize: config.int(widthKey(config)),
      vocabularySize: config.int('vocab_size'),
      maxTokens: positions,
      embeddings: {
        words: 'embeddings.word_embeddings',
        // Sinusoids are stored like learned positions.
        positions: { name: 'embeddings.position_embeddings', rows: positions, skip: 0 },
        norm: layerNorm('embeddings.LayerNorm', EPSILON),
      },
      layers: distilbertLayers(config),
    }
  },
  classifier: () => ({
    pooling: 'cls',
    dense: { ...linear('pre_classifier'), root: true, activation: 'relu' },
    output: { ...linear('classifier'), root: true },
  }),
  languageHead: (config) => ({
    dense: {
      ...linear('vocab_transform'),
      root: true,
      activation: config.choice('activation', ACTIVATION_NAMES, 'gelu'),
    },
    norm: { ...layerNorm('vocab_layer_norm', EPSILON), root: true },
    decoder: 'vocab_projector',
    biases: ['vocab_projector.bias'],
  }),
}

function distilbertLayers(config: ConfigReader): PostNormLayer[] {
  const heads = config.int(config.nameOf('n_heads', 'num_attention_heads'))
  const sizes = {
    heads,
    headWidth: config.split(widthKey(config), heads),
    width: config.int('hidden_dim'),
    activation: config.choice('activation', ACTIVATION_NAMES, 'gelu'),
    epsilon: EPSILON,
  }
  const count = config.count(config.nameOf('n_layers', 'num_hidden_layers'))
  return Array.from({ length: count }, (_, index) => {
    const layer = `transformer.layer.${index}`
    const names = {
      query: `${layer}.attention.q_lin`,
      key: `${layer}.attention.k_lin`,
      value: `${layer}.attention.v_lin`,
      output: `${layer}.attention.out_lin`,
      attentionNorm: `${layer}.sa_layer_norm`,
      up: `${layer}.ffn.lin1`,
      down: `${layer}.ffn.lin2`,
      feedForwardNorm: `${layer}.output_layer_norm`,
    }
    return postNormLayer(names, sizes)
  })
}

/** transformers takes the common names as well. */
function widthKey(config: ConfigReader): string {
  return config.nameOf('dim', 'hidden_size')
}
