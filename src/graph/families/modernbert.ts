/** transformers 5.23, models/modernbert/modeling_modernbert.py */
import type { ConfigReader } from '../config-reader.ts'
import { ACTIVATION_NAMES } from '../layers/activation.ts'
import type { PreNormLayer, NormPlan } from '../layers/encoder-plan.ts'
import type { Family } from './family.ts'
import { readLayerTypes } from './layer-types.ts'
import { biasedIf, linear, partOf } from './names.ts'
import { readRotary } from './rope.ts'

export const modernbert: Family = {
  modelTypes: ['modernbert'],
  prefixes: ['', 'model.'],
  probe: 'embeddings.tok_embeddings.weight',
  body: /^(embeddings|layers|final_norm)\./,
  ignored: [/\.rotary_emb\.inv_freq$/],
  plan(config) {
    const norm = normOf(config)
    return {
      order: 'pre',
      hiddenSize: config.int('hidden_size'),
      vocabularySize: config.int('vocab_size'),
      maxTokens: config.int('max_position_embeddings'),
      embeddings: { words: 'embeddings.tok_embeddings', norm: norm('embeddings.norm') },
      layers: readLayers(config),
      isNormedAtFirst: true,
      finalNorm: norm('final_norm'),
    }
  },
  classifier: (config) => ({
    pooling: config.choice('classifier_pooling', { cls: 'cls', mean: 'mean' } as const, 'cls'),
    dense: {
      ...biasedIf(config.flag('classifier_bias', false))('head.dense'),
      root: true,
      activation: config.choice('classifier_activation', ACTIVATION_NAMES, 'gelu'),
      norm: { ...normOf(config)('head.norm'), root: true },
    },
    output: { ...linear('classifier'), root: true },
  }),
  languageHead: (config) => ({
    dense: {
      ...biasedIf(config.flag('classifier_bias', false))('head.dense'),
      root: true,
      activation: config.choice('classifier_activation', ACTIVATION_NAMES, 'gelu'),
    },
    norm: { ...normOf(config)('head.norm'), root: true },
    decoder: 'decoder',
    biases: config.flag('decoder_bias', true) ? ['decoder.bias'] : [],
  }),
}

function readLayers(config: ConfigReader): PreNormLayer[] {
  const heads = config.int('num_attention_heads')
  const headWidth = config.split('hidden_size', heads)
  const width = config.int('intermediate_size')
  const activation = config.choice('hidden_activation', ACTIVATION_NAMES, 'gelu')
  const projection = biasedIf(config.flag('attention_bias', false))
  const feedForward = biasedIf(config.flag('mlp_bias', false))
  const norm = normOf(config)
  const period = config.int('global_attn_every_n_layers', 3)
  const slides = readLayerTypes(config, (index) => index % period !== 0)
  // The whole width of the window, and a token counts to neither half.
  const window = Math.floor(config.int('local_attention', 128) / 2)
  const full = {
    headWidth,
    theta: 160_000,
    thetaKey: 'global_rope_theta',
    layerType: 'full_attention',
  } as const
  const local = {
    headWidth,
    theta: 10_000,
    thetaKey: 'local_rope_theta',
    layerType: 'sliding_attention',
  } as const
  const rotary = { full: readRotary(config, full), sliding: readRotary(config, local) }
  return Array.from({ length: config.count('num_hidden_layers') }, (_, index) => {
    const layer = `layers.${index}`
    const joined = projection(`${layer}.attn.Wqkv`)
    const raised = feedForward(`${layer}.mlp.Wi`)
    return {
      attention: {
        query: partOf(joined, 0, 3),
        key: partOf(joined, 1, 3),
        value: partOf(joined, 2, 3),
        output: projection(`${layer}.attn.Wo`),
        heads,
        keyHeads: heads,
        headWidth,
        causal: false,
        ...(slides(index) ? { window, rotary: rotary.sliding } : { rotary: rotary.full }),
      },
      feedForward: {
        kind: 'gated',
        gate: partOf(raised, 0, 2),
        up: partOf(raised, 1, 2),
        down: feedForward(`${layer}.mlp.Wo`),
        width,
        activation,
      },
      norms: {
        attention: norm(`${layer}.attn_norm`),
        feedForward: norm(`${layer}.mlp_norm`),
      },
    }
  })
}

function normOf(config: ConfigReader): (name: string) => NormPlan {
  const epsilon = config.fraction('norm_eps', 1e-5)
  const bias = config.flag('norm_bias', false)
  return (name) => ({ name, kind: 'layer', epsilon, bias })
}
