/**
 * transformers 5.23, models/gte/modeling_gte.py, and the form of the same models that came with code of its own and calls
 * itself `new`: it alone has positions of the NTK kind.
 */
import type { ConfigReader } from '../config-reader.ts'
import { ACTIVATION_NAMES } from '../layers/activation.ts'
import type { EncoderPlan } from '../layers/encoder-plan.ts'
import type { Family } from './family.ts'
import { layerNorm, linear, partOf, unbiased } from './names.ts'
import { readRotary } from './rope.ts'
import type { RotaryLayerNames } from './rotary-layers.ts'
import { renamedLayer, rotaryPostNormLayer } from './rotary-layers.ts'

const SHARED = {
  modelTypes: ['new', 'gte'],
  prefixes: ['', 'new.', 'gte.'],
  ignored: [/^embeddings\.(position_ids|token_type_ids)$/, /\.rotary_emb\.(inv_freq|cos_cached|sin_cached)$/],
  classifier: () => ({
    pooling: 'cls',
    dense: { ...linear('pooler.dense'), activation: 'tanh' },
    output: { ...linear('classifier'), root: true },
  }),
} as const satisfies Partial<Family>

export const gte: Family = {
  ...SHARED,
  probe: 'encoder.layer.0.attention.qkv_proj.weight',
  body: /^(embeddings|encoder)\./,
  plan: (config) => planOf(config, originalNames),
}

/** With the names that transformers has for it. */
export const gteRenamed: Family = {
  ...SHARED,
  probe: 'layers.0.self_attn.q_proj.weight',
  body: /^(embeddings|layers)\./,
  plan: (config) => planOf(config, newNames),
}

function planOf(
  config: ConfigReader,
  namesOf: (index: number, epsilon: number) => RotaryLayerNames,
): EncoderPlan {
  expectKnown(config)
  const heads = config.int('num_attention_heads')
  const headWidth = config.split('hidden_size', heads)
  const epsilon = config.fraction('layer_norm_eps', 1e-12)
  const types = config.int('type_vocab_size', 1, 0)
  const sizes = {
    heads,
    headWidth,
    width: config.int('intermediate_size'),
    activation: config.choice('hidden_act', ACTIVATION_NAMES, 'gelu'),
    // The two forms have other bases where nothing is said: it must be.
    rotary: readRotary(config, { headWidth }),
  }
  return {
    order: 'post',
    hiddenSize: config.int('hidden_size'),
    vocabularySize: config.int('vocab_size'),
    maxTokens: config.int('max_position_embeddings'),
    embeddings: {
      words: 'embeddings.word_embeddings',
      ...(types > 0 && { types: { name: 'embeddings.token_type_embeddings', rows: types } }),
      norm: layerNorm('embeddings.LayerNorm', epsilon),
    },
    layers: Array.from({ length: config.count('num_hidden_layers') }, (_, index) =>
      rotaryPostNormLayer(namesOf(index, epsilon), sizes),
    ),
  }
}

/** What the first code could be set to and no known model is. */
function expectKnown(config: ConfigReader): void {
  config.expect('position_embedding_type', ['rope'])
  config.expect('layer_norm_type', ['layer_norm'])
  config.expect('pack_qkv', [true])
  config.expect('logn_attention_scale', [false])
  config.expect('logn_attention_clip1', [false])
}

function originalNames(index: number, epsilon: number): RotaryLayerNames {
  const layer = `encoder.layer.${index}`
  const raised = unbiased(`${layer}.mlp.up_gate_proj`)
  return {
    projections: linear(`${layer}.attention.qkv_proj`),
    output: linear(`${layer}.attention.o_proj`),
    up: partOf(raised, 0, 2),
    gate: partOf(raised, 1, 2),
    down: linear(`${layer}.mlp.down_proj`),
    attentionNorm: layerNorm(`${layer}.attn_ln`, epsilon),
    feedForwardNorm: layerNorm(`${layer}.mlp_ln`, epsilon),
  }
}

function newNames(index: number, epsilon: number): RotaryLayerNames {
  const steps = `layers.${index}.mlp`
  return {
    ...renamedLayer(index, linear, epsilon),
    up: unbiased(`${steps}.up_proj`),
    gate: unbiased(`${steps}.gate_proj`),
    down: linear(`${steps}.down_proj`),
  }
}
