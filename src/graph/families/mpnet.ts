/** transformers 5.23, models/mpnet/modeling_mpnet.py: RoBERTa's positions, and a bias of the scores for each distance. */
import type { ConfigReader } from '../config-reader.ts'
import type { BiasPlan, PostNormLayer } from '../layers/encoder-plan.ts'
import { bertSizes } from './bert.ts'
import { distanceBucket } from './distance-buckets.ts'
import type { Family } from './family.ts'
import { layerNorm, linear } from './names.ts'
import { postNormLayer } from './post-norm.ts'

/** As the positions see it, whatever config.json says. */
const PAD_ID = 1

/** How many buckets distances fall into, half of them for each direction, and the distance from which on all are far. */
const BUCKETS = 32
const FAR = 128

export const mpnet: Family = {
  modelTypes: ['mpnet'],
  prefixes: ['', 'mpnet.'],
  probe: 'embeddings.word_embeddings.weight',
  body: /^(embeddings|encoder)\./,
  ignored: [/^embeddings\.position_ids$/],
  plan(config) {
    const positions = config.int('max_position_embeddings', undefined, PAD_ID + 2)
    return {
      order: 'post',
      hiddenSize: config.int('hidden_size'),
      vocabularySize: config.int('vocab_size'),
      maxTokens: positions - PAD_ID - 1,
      embeddings: {
        words: 'embeddings.word_embeddings',
        positions: { name: 'embeddings.position_embeddings', rows: positions, skip: PAD_ID, padId: PAD_ID },
        norm: layerNorm('embeddings.LayerNorm', config.fraction('layer_norm_eps', 1e-12)),
      },
      layers: mpnetLayers(config),
    }
  },
  classifier: () => ({
    pooling: 'cls',
    dense: { ...linear('classifier.dense'), root: true, activation: 'tanh' },
    output: { ...linear('classifier.out_proj'), root: true },
  }),
}

function mpnetLayers(config: ConfigReader): PostNormLayer[] {
  const sizes = bertSizes(config)
  const bias: BiasPlan = {
    kind: 'relative',
    // A larger table has rows that no distance reaches.
    table: {
      name: 'encoder.relative_attention_bias',
      rows: config.int('relative_attention_num_buckets', BUCKETS, BUCKETS),
    },
    bucketOf: (distance) => distanceBucket(distance, { buckets: BUCKETS, far: FAR }),
    maxDistance: FAR,
  }
  return Array.from({ length: config.count('num_hidden_layers') }, (_, index) => {
    const layer = `encoder.layer.${index}`
    const names = {
      query: `${layer}.attention.attn.q`,
      key: `${layer}.attention.attn.k`,
      value: `${layer}.attention.attn.v`,
      output: `${layer}.attention.attn.o`,
      attentionNorm: `${layer}.attention.LayerNorm`,
      up: `${layer}.intermediate.dense`,
      down: `${layer}.output.dense`,
      feedForwardNorm: `${layer}.output.LayerNorm`,
    }
    const plan = postNormLayer(names, sizes)
    return { ...plan, attention: { ...plan.attention, bias } }
  })
}
