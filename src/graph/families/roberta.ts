/** transformers 5.23, models/roberta/modeling_roberta.py; XLM-RoBERTa and CamemBERT are the same under other names. */
import { bertEmbeddings, bertLayers } from './bert.ts'
import type { Family } from './family.ts'
import { layerNorm, linear } from './names.ts'

export const roberta: Family = {
  modelTypes: ['roberta', 'xlm-roberta', 'camembert'],
  prefixes: ['', 'roberta.', 'xlm-roberta.', 'camembert.'],
  probe: 'embeddings.word_embeddings.weight',
  body: /^(embeddings|encoder)\./,
  ignored: [/^embeddings\.(position_ids|token_type_ids)$/],
  plan(config) {
    config.expect('position_embedding_type', ['absolute'])
    config.expect('is_decoder', [false])
    const padId = config.int('pad_token_id', 1, 0)
    // Rows before that of the padding token are never read, and a text needs one row at least.
    const positions = config.int('max_position_embeddings', undefined, padId + 2)
    return {
      order: 'post',
      hiddenSize: config.int('hidden_size'),
      vocabularySize: config.int('vocab_size'),
      maxTokens: positions - padId - 1,
      embeddings: bertEmbeddings(config, { rows: positions, skip: padId, padId }),
      layers: bertLayers(config, (index) => `encoder.layer.${index}`),
    }
  },
  classifier: () => ({
    pooling: 'cls',
    dense: { ...linear('classifier.dense'), root: true, activation: 'tanh' },
    output: { ...linear('classifier.out_proj'), root: true },
  }),
  languageHead: (config) => ({
    dense: { ...linear('lm_head.dense'), root: true, activation: 'gelu' },
    norm: { ...layerNorm('lm_head.layer_norm', config.fraction('layer_norm_eps', 1e-12)), root: true },
    decoder: 'lm_head.decoder',
    biases: ['lm_head.decoder.bias', 'lm_head.bias'],
  }),
}
