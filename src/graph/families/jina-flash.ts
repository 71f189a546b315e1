/**
 * Jina's XLM-RoBERTa: joined projections, and rotary positions (jina-embeddings-v3) or a table of them
 * (jina-reranker-v2, jina-colbert-v2). transformers 5.23 has the rotary one as models/jina_embeddings_v3.
 */
import type { ConfigReader } from '../config-reader.ts'
import { ACTIVATION_NAMES } from '../layers/activation.ts'
import type { AdaptersPlan, EmbeddingsPlan, EncoderPlan, RotaryPlan } from '../layers/encoder-plan.ts'
import type { Family } from './family.ts'
import { layerNorm, linear, partOf } from './names.ts'
import { roberta } from './roberta.ts'
import { readRotary } from './rope.ts'
import type { RotaryLayerNames } from './rotary-layers.ts'
import { renamedLayer, rotaryPostNormLayer } from './rotary-layers.ts'

export const jinaFlash: Family = {
  ...roberta,
  modelTypes: ['xlm-roberta', 'jina_embeddings_v3'],
  prefixes: ['', 'roberta.'],
  probe: 'emb_ln.weight',
  body: /^(embeddings|emb_ln|encoder)\./,
  adapted: true,
  ignored: [
    /^embeddings\.position_ids$/,
    /\.rotary_emb\.inv_freq$/,
    // Jina's code gives positions no task.
    /^embeddings\.position_embeddings\.parametrizations\.weight\.0\.lora_[AB]$/,
  ],
  plan: (config) => ({ ...planOf(config, 'emb_ln', originalNames), ...readAdapters(config) }),
}

/** With the names that transformers has for it. */
export const jinaFlashRenamed: Family = {
  ...roberta,
  modelTypes: ['jina_embeddings_v3'],
  prefixes: ['', 'roberta.'],
  probe: 'layers.0.self_attn.q_proj.weight',
  body: /^(embeddings|layers)\./,
  // Jina's own key for the base of the angles means nothing to transformers.
  plan: (config) => planOf(config, 'embeddings.LayerNorm', newNames, 'rope_theta'),
}

function planOf(
  config: ConfigReader,
  norm: string,
  namesOf: (index: number, epsilon: number) => RotaryLayerNames,
  thetaKey: ThetaKey = 'rotary_emb_base',
): EncoderPlan {
  const heads = config.int('num_attention_heads')
  const headWidth = config.split('hidden_size', heads)
  const epsilon = config.fraction('layer_norm_eps', 1e-5)
  const { maxTokens, positions, isRotary } = readPositions(config, thetaKey)
  const sizes = {
    heads,
    headWidth,
    width: config.int('intermediate_size'),
    activation: config.choice('hidden_act', ACTIVATION_NAMES, 'gelu'),
    rotary: isRotary ? readAngles(config, headWidth, thetaKey) : undefined,
  }
  return {
    order: 'post',
    hiddenSize: config.int('hidden_size'),
    vocabularySize: config.int('vocab_size'),
    maxTokens,
    embeddings: {
      words: 'embeddings.word_embeddings',
      types: { name: 'embeddings.token_type_embeddings', rows: config.int('type_vocab_size', 1) },
      ...(positions && { positions }),
      norm: layerNorm(norm, epsilon),
    },
    layers: Array.from({ length: config.count('num_hidden_layers') }, (_, index) =>
      rotaryPostNormLayer(namesOf(index, epsilon), sizes),
    ),
  }
}

/** A task's place in the list is that of its adapters. Where nothing is said, what Jina's code assumes. */
function readAdapters(config: ConfigReader): { readonly adapters?: AdaptersPlan } {
  const count = config.listLength('lora_adaptations')
  if (count === undefined) return {}
  const rank = config.count('lora_rank', 4)
  return { adapters: { count, rank, scale: config.positive('lora_alpha', 1) / rank } }
}

function readAngles(config: ConfigReader, headWidth: number, thetaKey: ThetaKey): RotaryPlan {
  const theta = config.has('rope_parameters') || thetaKey === 'rope_theta' ? 20_000 : 10_000
  return readRotary(config, { headWidth, theta, thetaKey, scaled: false })
}

/** Where the base of the angles stands, if not in `rope_parameters`. */
type ThetaKey = 'rotary_emb_base' | 'rope_theta'

interface Positions {
  readonly isRotary: boolean
  readonly maxTokens: number
  readonly positions?: EmbeddingsPlan['positions']
}

function readPositions(config: ConfigReader, thetaKey: ThetaKey): Positions {
  const kinds = { rotary: true, absolute: false }
  // Only transformers' own form has this key or the section, and no other positions.
  const isRotary =
    thetaKey === 'rope_theta' ||
    config.has('rope_parameters') ||
    config.choice('position_embedding_type', kinds, 'absolute')
  if (isRotary) return { isRotary, maxTokens: config.int('max_position_embeddings') }
  const { maxTokens, embeddings } = roberta.plan(config)
  return { isRotary, maxTokens, positions: embeddings.positions }
}

function originalNames(index: number, epsilon: number): RotaryLayerNames {
  const layer = `encoder.layers.${index}`
  const own = (name: string, adaptedAs: string) => ({
    ...linear(`${layer}.${name}`),
    adaptedAs: `layers.${index}.${adaptedAs}`,
  })
  const projection = (letter: string, part: number) =>
    partOf(own('mixer.Wqkv', `self_attn.${letter}_proj`), part, 3)
  return {
    projections: [projection('q', 0), projection('k', 1), projection('v', 2)],
    output: own('mixer.out_proj', 'self_attn.o_proj'),
    up: own('mlp.fc1', 'mlp.fc1'),
    down: own('mlp.fc2', 'mlp.fc2'),
    attentionNorm: layerNorm(`${layer}.norm1`, epsilon),
    feedForwardNorm: layerNorm(`${layer}.norm2`, epsilon),
  }
}

function newNames(index: number, epsilon: number): RotaryLayerNames {
  const steps = `layers.${index}.mlp`
  return {
    ...renamedLayer(index, linear, epsilon),
    up: linear(`${steps}.fc1`),
    down: linear(`${steps}.fc2`),
  }
}
