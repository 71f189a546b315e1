/** transformers 5.23, models/electra/modeling_electra.py: BERT behind tables of a width of their own. */
import { bertLayers } from './bert.ts'
import type { Family } from './family.ts'
import { layerNorm, linear } from './names.ts'

export const electra: Family = {
  modelTypes: ['electra'],
  prefixes: ['', 'electra.'],
  probe: 'embeddings.word_embeddings.weight',
  body: /^(embeddings|embeddings_project|encoder)\./,
  ignored: [/^embeddings\.(position_ids|token_type_ids)$/],
  plan(config) {
    config.expect('position_embedding_type', ['absolute'])
    config.expect('is_decoder', [false])
    const hiddenSize = config.int('hidden_size')
    const width = config.int('embedding_size', 128)
    const positions = config.int('max_position_embeddings')
    return {
      hiddenSize,
      vocabularySize: config.int('vocab_size'),
      maxTokens: positions,
      embeddings: {
        words: 'embeddings.word_embeddings',
        width,
        types: { name: 'embeddings.token_type_embeddings', rows: config.int('type_vocab_size', 2) },
        positions: { name: 'embeddings.position_embeddings', rows: positions, skip: 0 },
        norm: layerNorm('embeddings.LayerNorm', config.fraction('layer_norm_eps', 1e-12)),
        ...(width !== hiddenSize && { projection: linear('embeddings_project') }),
      },
      layers: bertLayers(config, (index) => `encoder.layer.${index}`),
    }
  },
  classifier: () => ({
    pooling: 'cls',
    dense: { ...linear('classifier.dense'), root: true, activation: 'gelu' },
    output: { ...linear('classifier.out_proj'), root: true },
  }),
}
