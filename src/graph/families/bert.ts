/** transformers 5.23, models/bert/modeling_bert.py */
import { ACTIVATION_NAMES } from '../layers/activation.ts'
import type { Family } from './family.ts'

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
      hiddenSize: config.int('hidden_size'),
      intermediateSize: config.int('intermediate_size'),
      layerCount: config.int('num_hidden_layers'),
      headCount: config.int('num_attention_heads'),
      activation: config.choice('hidden_act', ACTIVATION_NAMES, 'gelu'),
      normEpsilon: config.fraction('layer_norm_eps', 1e-12),
      vocabularySize: config.int('vocab_size'),
      maxTokens: positions,
      embeddings: {
        words: 'embeddings.word_embeddings',
        positions: { table: 'embeddings.position_embeddings', rows: positions },
        types: { table: 'embeddings.token_type_embeddings', rows: config.int('type_vocab_size', 2) },
        norm: 'embeddings.LayerNorm',
      },
      layer(index) {
        const layer = `encoder.layer.${index}`
        return {
          query: `${layer}.attention.self.query`,
          key: `${layer}.attention.self.key`,
          value: `${layer}.attention.self.value`,
          attentionOutput: `${layer}.attention.output.dense`,
          attentionNorm: `${layer}.attention.output.LayerNorm`,
          up: `${layer}.intermediate.dense`,
          down: `${layer}.output.dense`,
          outputNorm: `${layer}.output.LayerNorm`,
        }
      },
    }
  },
  classifier: { dense: { name: 'pooler.dense', root: false }, activation: 'tanh', output: 'classifier' },
}
