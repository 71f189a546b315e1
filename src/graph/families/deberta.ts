/** transformers 5.23, models/deberta_v2/modeling_deberta_v2.py, DeBERTa v2 and v3: attention looks at distances too. */
import type { ConfigReader } from '../config-reader.ts'
import { ACTIVATION_NAMES } from '../layers/activation.ts'
import type {
  ConvolutionPlan,
  DisentangledPlan,
  EmbeddingsPlan,
  PostNormLayer,
} from '../layers/encoder-plan.ts'
import { bertSizes } from './bert.ts'
import { LONGEST_ROW } from './distance-buckets.ts'
import type { Family } from './family.ts'
import { layerNorm, linear, unbiased } from './names.ts'
import { postNormLayer } from './post-norm.ts'

const EPSILON = 1e-7
const POSITIONS = 512

export const deberta: Family = {
  modelTypes: ['deberta-v2'],
  prefixes: ['', 'deberta.'],
  probe: 'embeddings.word_embeddings.weight',
  body: /^(embeddings|encoder)\./,
  // Checkpoints may hold a table of positions that config.json leaves unused.
  ignored: [/^embeddings\.position_(ids$|embeddings\.)/],
  plan(config) {
    const convolution = readConvolution(config)
    return {
      order: 'post',
      hiddenSize: config.int('hidden_size'),
      vocabularySize: config.int('vocab_size'),
      maxTokens: readMaxTokens(config),
      embeddings: readEmbeddings(config),
      layers: readLayers(config),
      ...(convolution && { convolution }),
    }
  },
  classifier(config) {
    config.expect('pooler_hidden_size', [config.int('hidden_size')])
    const activation = config.choice('pooler_hidden_act', ACTIVATION_NAMES, 'gelu')
    return {
      pooling: 'cls',
      dense: { ...linear('pooler.dense'), root: true, activation },
      output: { ...linear('classifier'), root: true },
    }
  },
}

function readMaxTokens(config: ConfigReader): number {
  return Math.min(config.int('max_position_embeddings', POSITIONS), LONGEST_ROW)
}

function readEmbeddings(config: ConfigReader): EmbeddingsPlan {
  const hiddenSize = config.int('hidden_size')
  const width = config.int('embedding_size', hiddenSize)
  const types = config.int('type_vocab_size', 0, 0)
  const rows = config.int('max_position_embeddings', POSITIONS)
  return {
    words: 'embeddings.word_embeddings',
    width,
    ...(types > 0 && { types: { name: 'embeddings.token_type_embeddings', rows: types } }),
    ...(config.flag('position_biased_input', true) && {
      positions: { name: 'embeddings.position_embeddings', rows, skip: 0 },
    }),
    ...(width !== hiddenSize && { projection: unbiased('embeddings.embed_proj') }),
    outputNorm: layerNorm('embeddings.LayerNorm', config.fraction('layer_norm_eps', EPSILON)),
  }
}

function readLayers(config: ConfigReader): PostNormLayer[] {
  const sizes = { ...bertSizes(config), epsilon: config.fraction('layer_norm_eps', EPSILON) }
  config.expect('attention_head_size', [sizes.headWidth])
  const kinds: Kinds = new Set(config.someOf('pos_att_type', ['c2p', 'p2c']))
  // Also where distances are not looked at.
  const scale = 1 / Math.sqrt(sizes.headWidth * (1 + kinds.size))
  const bias = config.flag('relative_attention', false) ? readBias(config, kinds) : () => undefined
  return Array.from({ length: config.count('num_hidden_layers') }, (_, index) => {
    const layer = `encoder.layer.${index}`
    const self = `${layer}.attention.self`
    const names = {
      query: `${self}.query_proj`,
      key: `${self}.key_proj`,
      value: `${self}.value_proj`,
      output: `${layer}.attention.output.dense`,
      attentionNorm: `${layer}.attention.output.LayerNorm`,
      up: `${layer}.intermediate.dense`,
      down: `${layer}.output.dense`,
      feedForwardNorm: `${layer}.output.LayerNorm`,
    }
    const plan = postNormLayer(names, sizes)
    const own = bias(self)
    return { ...plan, attention: { ...plan.attention, scale, ...(own && { bias: own }) } }
  })
}

type Kinds = ReadonlySet<'c2p' | 'p2c'>

/** By the name of a layer's attention. */
function readBias(config: ConfigReader, kinds: Kinds): (self: string) => DisentangledPlan | undefined {
  if (kinds.size === 0) return () => undefined
  const { span, bucketOf } = readDistances(config)
  const isNormed = config.someOf('norm_rel_ebd', ['layer_norm', 'none']).includes('layer_norm')
  // Shared: distances are projected as tokens are.
  const prefix = config.flag('share_att_key', false) ? '' : 'pos_'
  const shared = {
    kind: 'disentangled',
    table: { name: 'encoder.rel_embeddings', rows: 2 * span },
    ...(isNormed && { norm: layerNorm('encoder.LayerNorm', config.fraction('layer_norm_eps', EPSILON)) }),
    bucketOf: (distance: number) => Math.min(Math.max(bucketOf(-distance) + span, 0), 2 * span - 1),
    maxDistance: readMaxTokens(config),
  } as const
  return (self) => ({
    ...shared,
    ...(kinds.has('c2p') && { key: linear(`${self}.${prefix}key_proj`) }),
    ...(kinds.has('p2c') && { query: linear(`${self}.${prefix}query_proj`) }),
  })
}

/** Half the rows of the table, and the one of them that a distance takes, counted from the middle. */
function readDistances(config: ConfigReader) {
  const ownKey = config.int('max_relative_positions', -1, -1) > 0
  const key = ownKey ? 'max_relative_positions' : 'max_position_embeddings'
  const buckets = config.int('position_buckets', -1, -1)
  if (buckets <= 0) return { span: config.int(key, POSITIONS), bucketOf: (distance: number) => distance }
  const near = Math.floor(buckets / 2)
  // With fewer no logarithm would grow.
  const far = config.int(key, POSITIONS, near + 2)
  return {
    span: buckets,
    bucketOf(distance: number): number {
      const away = Math.abs(distance)
      if (away <= near) return distance
      // In float32, as the reference has it.
      const { fround, log } = Math
      const growth = fround(fround(log(fround(away / near))) / fround(log(fround((far - 1) / near))))
      return Math.sign(distance) * (Math.ceil(fround(growth * (near - 1))) + near)
    },
  }
}

function readConvolution(config: ConfigReader): ConvolutionPlan | undefined {
  config.expect('conv_kernel_size', [0, 1, 3, 5, 7, 9])
  config.expect('conv_groups', [1])
  const size = config.int('conv_kernel_size', 0, 0)
  if (size === 0) return undefined
  const activation = config.choice('conv_act', ACTIVATION_NAMES, 'tanh')
  const norm = layerNorm('encoder.conv.LayerNorm', config.fraction('layer_norm_eps', EPSILON))
  return { name: 'encoder.conv.conv', size, activation, norm }
}
