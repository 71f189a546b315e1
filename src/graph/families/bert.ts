/** transformers 5.23, models/bert/modeling_bert.py */
import type { ConfigReader } from '../config-reader.ts'
import { ACTIVATION_NAMES } from '../layers/activation.ts'
import type { EmbeddingsPlan, PostNormLayer, PositionsPlan } from '../layers/encoder-plan.ts'
import type { Family } from './family.ts'
import { layerNorm, linear } from './names.ts'
import type { PostNormNames, PostNormSizes } from './post-norm.ts'
import { postNormLayer } from './post-norm.ts'

export const bert: Family = {
  modelTypes: ['bert'],
  prefixes: ['', 'bert.'],
  probe: 'embeddings.word_embeddings.weight',
  body: /^(embeddings|encoder)\./,
  ignored: [/^embeddings\.(position_ids|token_type_ids)$/],
  plan(config) {
    config.expect('position_embedding_type', ['absolute'])
    config.expect('is_decoder', [false])
    const positions = config.int('max_position_embeddings')
    return {
      order: 'post',
      hiddenSize: config.int('hidden_size'),
      vocabularySize: config.int('vocab_size'),
      maxTokens: positions,
      embeddings: bertEmbeddings(config, { rows: positions, skip: 0 }),
      layers: bertLayers(config, (index) => `encoder.layer.${index}`),
    }
  },
  classifier: () => ({
    pooling: 'cls',
    dense: { ...linear('pooler.dense'), activation: 'tanh' },
    output: { ...linear('classifier'), root: true },
  }),
  languageHead: (config) => ({
    dense: {
      ...linear('cls.predictions.transform.dense'),
      root: true,
      activation: config.choice('hidden_act', ACTIVATION_NAMES, 'gelu'),
    },
    norm: {
      ...layerNorm('cls.predictions.transform.LayerNorm', config.fraction('layer_norm_eps', 1e-12)),
      root: true,
    },
    decoder: 'cls.predictions.decoder',
    biases: ['cls.predictions.decoder.bias', 'cls.predictions.bias'],
  }),
}

/** Tables by BERT's names: words, types and positions. */
export function bertEmbeddings(config: ConfigReader, positions: Omit<PositionsPlan, 'name'>): EmbeddingsPlan {
  return {
    words: 'embeddings.word_embeddings',
    types: { name: 'embeddings.token_type_embeddings', rows: config.int('type_vocab_size', 2) },
    positions: { name: 'embeddings.position_embeddings', ...positions },
    norm: layerNorm('embeddings.LayerNorm', config.fraction('layer_norm_eps', 1e-12)),
  }
}

/** Blocks by BERT's names, which many families share. */
export function bertLayers(config: ConfigReader, nameOf: (index: number) => string): PostNormLayer[] {
  const sizes = bertSizes(config)
  return Array.from({ length: config.count('num_hidden_layers') }, (_, index) => {
    const layer = nameOf(index)
    const names: PostNormNames = {
      query: `${layer}.attention.self.query`,
      key: `${layer}.attention.self.key`,
      value: `${layer}.attention.self.value`,
      output: `${layer}.attention.output.dense`,
      attentionNorm: `${layer}.attention.output.LayerNorm`,
      up: `${layer}.intermediate.dense`,
      down: `${layer}.output.dense`,
      feedForwardNorm: `${layer}.output.LayerNorm`,
    }
    return postNormLayer(names, sizes)
  })
}

/** Sizes by BERT's names in config.json. */
export function bertSizes(
  config: ConfigReader,
  activation: keyof typeof ACTIVATION_NAMES = 'gelu',
): PostNormSizes {
  const heads = config.int('num_attention_heads')
  return {
    heads,
    headWidth: config.split('hidden_size', heads),
    width: config.int('intermediate_size'),
    activation: config.choice('hidden_act', ACTIVATION_NAMES, activation),
    epsilon: config.fraction('layer_norm_eps', 1e-12),
  }
}
