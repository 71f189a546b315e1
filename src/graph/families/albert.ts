/** transformers 5.23, models/albert/modeling_albert.py: layers share their weights, in groups. */
import type { ConfigReader } from '../config-reader.ts'
import { MOST_LISTED } from '../config-reader.ts'
import type { PostNormLayer } from '../layers/encoder-plan.ts'
import { bertEmbeddings, bertSizes } from './bert.ts'
import type { Family } from './family.ts'
import { linear } from './names.ts'
import { postNormLayer } from './post-norm.ts'

export const albert: Family = {
  modelTypes: ['albert'],
  prefixes: ['', 'albert.'],
  probe: 'embeddings.word_embeddings.weight',
  body: /^(embeddings|encoder)\./,
  ignored: [/^embeddings\.(position_ids|token_type_ids)$/],
  plan(config) {
    config.expect('position_embedding_type', ['absolute'])
    const positions = config.int('max_position_embeddings')
    return {
      order: 'post',
      hiddenSize: config.int('hidden_size'),
      vocabularySize: config.int('vocab_size'),
      maxTokens: positions,
      embeddings: {
        ...bertEmbeddings(config, { rows: positions, skip: 0 }),
        width: config.int('embedding_size', 128),
        projection: linear('encoder.embedding_hidden_mapping_in'),
      },
      layers: sharedLayers(config),
    }
  },
  classifier: () => ({
    pooling: 'cls',
    dense: { ...linear('pooler'), activation: 'tanh' },
    output: { ...linear('classifier'), root: true },
  }),
}

/** `num_hidden_layers` times all the layers of a group, each group for as many turns as the others. */
function sharedLayers(config: ConfigReader): PostNormLayer[] {
  const turns = config.count('num_hidden_layers')
  const groups = config.int('num_hidden_groups', 1)
  const inner = config.count('inner_group_num', 1, Math.floor(MOST_LISTED / turns))
  const sizes = bertSizes(config, 'gelu_new')
  return Array.from({ length: turns * inner }, (_, index) => {
    const turn = Math.floor(index / inner)
    const group = `encoder.albert_layer_groups.${Math.floor(turn / (turns / groups))}`
    const layer = `${group}.albert_layers.${index % inner}`
    const names = {
      query: `${layer}.attention.query`,
      key: `${layer}.attention.key`,
      value: `${layer}.attention.value`,
      output: `${layer}.attention.dense`,
      attentionNorm: `${layer}.attention.LayerNorm`,
      up: `${layer}.ffn`,
      down: `${layer}.ffn_output`,
      feedForwardNorm: `${layer}.full_layer_layer_norm`,
    }
    return postNormLayer(names, sizes)
  })
}
