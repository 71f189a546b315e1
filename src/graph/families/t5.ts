/**
 * transformers 5.23, models/t5/modeling_t5.py, the encoder alone (classifiers read the decoder). mT5 is the same; UMT5 has a
 * table of distances in each layer.
 */
import type { ConfigReader } from '../config-reader.ts'
import type { HiddenActivation } from '../layers/activation.ts'
import { ACTIVATION_NAMES } from '../layers/activation.ts'
import type {
  AttentionPlan,
  BiasPlan,
  FeedForwardPlan,
  PreNormLayer,
  PreNormPlan,
} from '../layers/encoder-plan.ts'
import { LONGEST_ROW, distanceBucket } from './distance-buckets.ts'
import type { Family } from './family.ts'
import { rmsNorm, unbiased } from './names.ts'

export const t5: Family = {
  modelTypes: ['t5'],
  prefixes: [''],
  probe: 'encoder.final_layer_norm.weight',
  body: /^encoder\./,
  // The tied copy of the words.
  ignored: [/^encoder\.embed_tokens\.weight$/],
  overflowsHalf: true,
  plan: (config) => t5Plan(config, { feedForward: 'relu', tableOf: () => 0 }),
}

export const mt5: Family = {
  ...t5,
  modelTypes: ['mt5'],
  plan: (config) => t5Plan(config, { feedForward: 'gated-gelu', tableOf: () => 0 }),
}

export const umt5: Family = {
  ...t5,
  modelTypes: ['umt5'],
  plan: (config) => t5Plan(config, { feedForward: 'gated-gelu', tableOf: (index) => index }),
}

interface Variant {
  /** Where config.json names none. */
  readonly feedForward: string
  /** The layer that holds the table of distances which layer `index` reads. */
  readonly tableOf: (index: number) => number
}

function t5Plan(config: ConfigReader, { feedForward, tableOf }: Variant): PreNormPlan {
  config.expect('is_decoder', [false])
  const epsilon = config.positive('layer_norm_epsilon', 1e-6)
  const bias = readBias(config)
  const step = readFeedForward(config, feedForward)
  return {
    order: 'pre',
    hiddenSize: config.int('d_model'),
    vocabularySize: config.int('vocab_size'),
    maxTokens: LONGEST_ROW,
    embeddings: { words: 'shared', otherWords: 'encoder.embed_tokens' },
    layers: Array.from({ length: config.count('num_layers') }, (_, index): PreNormLayer => {
      const layer = `encoder.block.${index}.layer`
      return {
        attention: attention(config, `${layer}.0.SelfAttention`, bias(tableOf(index))),
        feedForward: step(`${layer}.1.DenseReluDense`),
        norms: {
          attention: rmsNorm(`${layer}.0.layer_norm`, epsilon),
          feedForward: rmsNorm(`${layer}.1.layer_norm`, epsilon),
        },
      }
    }),
    finalNorm: rmsNorm('encoder.final_layer_norm', epsilon),
  }
}

function attention(config: ConfigReader, name: string, bias: BiasPlan): AttentionPlan {
  const heads = config.int('num_heads')
  return {
    query: unbiased(`${name}.q`),
    key: unbiased(`${name}.k`),
    value: unbiased(`${name}.v`),
    output: unbiased(`${name}.o`),
    heads,
    keyHeads: heads,
    headWidth: config.int('d_kv', 64),
    scale: 1,
    causal: false,
    bias,
  }
}

/** By the layer that holds the table. */
function readBias(config: ConfigReader): (layer: number) => BiasPlan {
  const buckets = config.int('relative_attention_num_buckets', 32, 4)
  // Below it no bucket would be left for farther ones, and their logarithms would not grow.
  const far = config.int('relative_attention_max_distance', 128, Math.floor(buckets / 4) + 1)
  const bucketOf = (distance: number): number => distanceBucket(distance, { buckets, far })
  return (layer) => ({
    kind: 'relative',
    table: {
      name: `encoder.block.${layer}.layer.0.SelfAttention.relative_attention_bias`,
      rows: buckets,
    },
    bucketOf,
    maxDistance: Math.min(far, LONGEST_ROW),
  })
}

function readFeedForward(config: ConfigReader, fallback: string): (name: string) => FeedForwardPlan {
  const width = config.int('d_ff')
  const { kind, activation } = config.choice('feed_forward_proj', FEED_FORWARDS, fallback)
  return (name) =>
    kind === 'plain'
      ? { kind, up: unbiased(`${name}.wi`), down: unbiased(`${name}.wo`), width, activation }
      : {
          kind,
          gate: unbiased(`${name}.wi_0`),
          up: unbiased(`${name}.wi_1`),
          down: unbiased(`${name}.wo`),
          width,
          activation,
        }
}

interface FeedForwardKind {
  readonly kind: FeedForwardPlan['kind']
  readonly activation: HiddenActivation
}

/** `gelu`, `gated-silu` and the like; the gated gelu, for historical reasons, is the approximation. */
const FEED_FORWARDS: Readonly<Record<string, FeedForwardKind>> = {
  ...eachActivation('', 'plain'),
  ...eachActivation('gated-', 'gated'),
  'gated-gelu': { kind: 'gated', activation: 'gelu_tanh' },
}

function eachActivation(prefix: string, kind: FeedForwardKind['kind']): Record<string, FeedForwardKind> {
  const entries = Object.entries(ACTIVATION_NAMES).map(([name, activation]) => [
    prefix + name,
    { kind, activation },
  ])
  return Object.fromEntries(entries) as Record<string, FeedForwardKind>
}
