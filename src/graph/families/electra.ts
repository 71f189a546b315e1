/** transformers 5.23, models/electra/modeling_electra.py: BERT behind tables of a width of their own. */
import { bertEmbeddings, bertLayers } from './bert.ts'
import type { Family } from './family.ts'
import { linear } from './names.ts'

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
      order: 'post',
      hiddenSize,
      vocabularySize: config.int('vocab_size'),
      maxTokens: positions,
      embeddings: {
        ...bertEmbeddings(config, { rows: positions, skip: 0 }),
        width,
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
