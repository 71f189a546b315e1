/**
 * JinaBERT v2: BERT's names, no position table, scores that fall with distance, gated steps. Its code is not part of
 * transformers; the variant for programming languages normalizes queries, keys and the attention's sum once more, and has
 * its gate in the other half.
 */
import type { ConfigReader } from '../config-reader.ts'
import type { AttentionPlan, EncoderPlan, FeedForwardPlan, PostNormLayer } from '../layers/encoder-plan.ts'
import { bert } from './bert.ts'
import type { Family } from './family.ts'
import { layerNorm, linear, partOf, unbiased } from './names.ts'

export const jinaBert: Family = {
  ...bert,
  probe: 'encoder.layer.0.mlp.gated_layers.weight',
  plan: (config) => planOf(config, textLayer),
}

export const jinaCode: Family = {
  ...bert,
  probe: 'encoder.layer.0.mlp.up_gated_layer.weight',
  plan: (config) => planOf(config, codeLayer),
}

interface LayerParts {
  readonly attention: AttentionPlan
  readonly width: number
  readonly activation: FeedForwardPlan['activation']
  readonly epsilon: number
}

function planOf(
  config: ConfigReader,
  layerOf: (layer: string, parts: LayerParts) => PostNormLayer,
): EncoderPlan {
  config.choice('position_embedding_type', { alibi: true })
  config.expect('is_decoder', [false])
  // Each has a slope.
  const heads = config.count('num_attention_heads')
  const headWidth = config.split('hidden_size', heads)
  const bias = { kind: 'alibi', slopes: alibiSlopes(heads) } as const
  const parts = {
    width: config.int('intermediate_size'),
    activation: config.choice('feed_forward_type', { geglu: 'gelu', reglu: 'relu' } as const, 'geglu'),
    epsilon: config.fraction('layer_norm_eps', 1e-12),
  }
  return {
    order: 'post',
    hiddenSize: config.int('hidden_size'),
    vocabularySize: config.int('vocab_size'),
    maxTokens: config.int('max_position_embeddings'),
    embeddings: {
      words: 'embeddings.word_embeddings',
      types: { name: 'embeddings.token_type_embeddings', rows: config.int('type_vocab_size', 2) },
      norm: layerNorm('embeddings.LayerNorm', parts.epsilon),
    },
    layers: Array.from({ length: config.count('num_hidden_layers') }, (_, index) => {
      const layer = `encoder.layer.${index}`
      const attention = {
        query: linear(`${layer}.attention.self.query`),
        key: linear(`${layer}.attention.self.key`),
        value: linear(`${layer}.attention.self.value`),
        output: linear(`${layer}.attention.output.dense`),
        heads,
        keyHeads: heads,
        headWidth,
        causal: false,
        bias,
      }
      return layerOf(layer, { attention, ...parts })
    }),
  }
}

function textLayer(layer: string, { attention, width, activation, epsilon }: LayerParts): PostNormLayer {
  const raised = unbiased(`${layer}.mlp.gated_layers`)
  return {
    attention,
    feedForward: {
      kind: 'gated',
      gate: partOf(raised, 0, 2),
      up: partOf(raised, 1, 2),
      down: linear(`${layer}.mlp.wo`),
      width,
      activation,
    },
    norms: {
      attention: layerNorm(`${layer}.attention.output.LayerNorm`, epsilon),
      feedForward: layerNorm(`${layer}.mlp.layernorm`, epsilon),
    },
  }
}

function codeLayer(layer: string, { attention, width, activation, epsilon }: LayerParts): PostNormLayer {
  const raised = unbiased(`${layer}.mlp.up_gated_layer`)
  const wholeNorm = (name: string) =>
    ({ ...layerNorm(`${layer}.attention.self.${name}`, epsilon), over: 'all' }) as const
  return {
    attention: { ...attention, queryNorm: wholeNorm('layer_norm_q'), keyNorm: wholeNorm('layer_norm_k') },
    feedForward: {
      kind: 'gated',
      up: partOf(raised, 0, 2),
      gate: partOf(raised, 1, 2),
      down: linear(`${layer}.mlp.down_layer`),
      width,
      activation,
    },
    norms: {
      attention: layerNorm(`${layer}.attention.output.LayerNorm`, epsilon),
      attentionAgain: layerNorm(`${layer}.layer_norm_1`, epsilon),
      feedForward: layerNorm(`${layer}.layer_norm_2`, epsilon),
    },
  }
}

/**
 * Press et al. 2022: 2^(−8/n), and its powers; where the number of heads is no power of two, those of the next smaller one,
 * then every other one of the next larger.
 */
export function alibiSlopes(heads: number): number[] {
  const whole = 2 ** Math.floor(Math.log2(heads))
  const slopes = (count: number) =>
    Array.from({ length: count }, (_, index) => 2 ** ((-8 * (index + 1)) / count))
  const between = slopes(2 * whole).filter((_, index) => index % 2 === 0)
  return [...slopes(whole), ...between.slice(0, heads - whole)]
}
