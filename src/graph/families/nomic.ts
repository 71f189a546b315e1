/**
 * transformers 5.23, models/nomic_bert/modeling_nomic_bert.py, and the first form of the same models, which came with code
 * of its own. Settings and names of tensors each have two forms, in any combination.
 */
import type { EncoderPlan, PostNormLayer } from '../layers/encoder-plan.ts'
import type { Family } from './family.ts'
import { layerNorm, unbiased } from './names.ts'
import type { NomicSettings } from './nomic-settings.ts'
import { readSettings } from './nomic-settings.ts'
import type { RotaryLayerNames } from './rotary-layers.ts'
import { renamedLayer, rotaryPostNormLayer } from './rotary-layers.ts'

export const nomic: Family = {
  modelTypes: ['nomic_bert'],
  prefixes: ['', 'nomic_bert.'],
  probe: 'emb_ln.weight',
  body: /^(embeddings|emb_ln|encoder)\./,
  ignored: [/\.rotary_emb\.inv_freq$/],
  plan: (config) => planOf(readSettings(config), 'emb_ln', originalNames),
}

export const nomicRenamed: Family = {
  modelTypes: ['nomic_bert'],
  prefixes: ['', 'nomic_bert.'],
  probe: 'embeddings.LayerNorm.weight',
  body: /^(embeddings|layers)\./,
  ignored: [/^embeddings\.(position_ids|token_type_ids)$/, /\.rotary_emb\.inv_freq$/],
  plan: (config) => planOf(readSettings(config), 'embeddings.LayerNorm', newNames),
}

function planOf(
  settings: NomicSettings,
  norm: string,
  namesOf: (settings: NomicSettings, index: number) => RotaryLayerNames,
): EncoderPlan {
  const { hiddenSize, vocabularySize, maxTokens, types, epsilon, layerCount } = settings
  return {
    order: 'post',
    hiddenSize,
    vocabularySize,
    maxTokens,
    embeddings: {
      words: 'embeddings.word_embeddings',
      ...(types > 0 && { types: { name: 'embeddings.token_type_embeddings', rows: types } }),
      norm: layerNorm(norm, epsilon),
    },
    layers: Array.from({ length: layerCount }, (_, index) =>
      layerOf(settings, index, namesOf(settings, index)),
    ),
  }
}

function layerOf({ sizes, experts }: NomicSettings, index: number, names: RotaryLayerNames): PostNormLayer {
  const layer = rotaryPostNormLayer(names, sizes)
  if (experts === undefined || index % experts.every !== 1) return layer
  const step = `encoder.layers.${index}.mlp`
  return {
    ...layer,
    feedForward: {
      kind: 'experts',
      router: unbiased(`${step}.router.layer`),
      experts: experts.count,
      chosen: experts.chosen,
      up: `${step}.experts.mlp.w1`,
      down: `${step}.experts.mlp.w2`,
      bias: `${step}.experts.bias`,
      width: sizes.width,
      activation: sizes.activation,
    },
  }
}

function originalNames(
  { projection, raise, lower, epsilon, isGated }: NomicSettings,
  index: number,
): RotaryLayerNames {
  const layer = `encoder.layers.${index}`
  return {
    projections: projection(`${layer}.attn.Wqkv`),
    output: projection(`${layer}.attn.out_proj`),
    ...(isGated
      ? { up: raise(`${layer}.mlp.fc11`), gate: raise(`${layer}.mlp.fc12`) }
      : { up: raise(`${layer}.mlp.fc1`) }),
    down: lower(`${layer}.mlp.fc2`),
    attentionNorm: layerNorm(`${layer}.norm1`, epsilon),
    feedForwardNorm: layerNorm(`${layer}.norm2`, epsilon),
  }
}

function newNames({ projection, raise, lower, epsilon }: NomicSettings, index: number): RotaryLayerNames {
  const steps = `layers.${index}.mlp`
  return {
    ...renamedLayer(index, projection, epsilon),
    up: raise(`${steps}.up_proj`),
    gate: raise(`${steps}.gate_proj`),
    down: lower(`${steps}.down_proj`),
  }
}
