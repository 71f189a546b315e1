/** transformers 5.23, models/dinov2 and models/dinov2_with_registers: the class token behind the last norm. */
import type { ImageProcessing } from '../../model/spec.ts'
import type { ConfigReader } from '../config-reader.ts'
import { biasedIf, layerNorm, linear, partOf } from '../families/names.ts'
import { preNormLayer } from '../families/pre-norm.ts'
import { ACTIVATION_NAMES } from '../layers/activation.ts'
import type { FeedForwardPlan, PreNormLayer } from '../layers/encoder-plan.ts'
import type { LearnedTokens } from '../layers/patch-embeddings.ts'
import { countTokens } from '../layers/patch-embeddings.ts'
import { learnedGrid, preparedGrid } from './patch-grid.ts'
import type { ImageTowerFamily, TowerPlan } from './tower.ts'
import { firstTokenTower } from './vision-transformer.ts'

const BODY = /^(embeddings|encoder|layernorm)\./

export const dinov2: ImageTowerFamily = {
  modelTypes: ['dinov2'],
  prefixes: ['', 'dinov2.'],
  probe: 'embeddings.cls_token',
  body: BODY,
  ignored: [/^embeddings\.mask_token$/],
  plan: (config, processing) => planOf(config, processing, { patchSize: 14, registers: 0, antialias: false }),
}

export const dinov2Registers: ImageTowerFamily = {
  ...dinov2,
  modelTypes: ['dinov2_with_registers'],
  prefixes: ['', 'dinov2_with_registers.'],
  plan: (config, processing) =>
    planOf(config, processing, {
      patchSize: 16,
      registers: config.int('num_register_tokens', 4, 0, 1000),
      antialias: true,
    }),
}

interface Variant {
  /** Where config.json says none. */
  readonly patchSize: number
  /** Learned tokens between the class token and the patches. */
  readonly registers: number
  /** How positions are made to fit. */
  readonly antialias: boolean
}

function planOf(config: ConfigReader, processing: ImageProcessing, variant: Variant): TowerPlan {
  const { registers, antialias } = variant
  config.expect('num_channels', [3])
  const H = config.int('hidden_size', 768)
  const patchSize = config.int('patch_size', variant.patchSize)
  const leading: LearnedTokens[] = [{ name: 'embeddings.cls_token', shape: [1, 1, H], count: 1 }]
  if (registers > 0)
    leading.push({ name: 'embeddings.register_tokens', shape: [1, registers, H], count: registers })
  const learned = learnedGrid(config, 224, patchSize)
  const grid = preparedGrid(config, processing, { patchSize, leadingTokens: countTokens(leading) })
  const isSame = grid.height === learned.height && grid.width === learned.width
  return firstTokenTower({
    grid,
    patches: {
      width: H,
      patchSize,
      projection: { name: 'embeddings.patch_embeddings.projection', bias: true },
      leading,
      positions: {
        name: 'embeddings.position_embeddings',
        shape: [1, 1 + learned.height * learned.width, H],
        leadingRows: 1,
        grid: learned,
        ...(!isSame && { resize: { to: grid, antialias } }),
      },
    },
    layers: {
      order: 'pre',
      hiddenSize: H,
      layers: layersOf(config, H),
      finalNorm: layerNorm('layernorm', config.fraction('layer_norm_eps', 1e-6)),
    },
  })
}

function layersOf(config: ConfigReader, H: number): PreNormLayer[] {
  const heads = config.int('num_attention_heads', 12)
  const sizes = {
    heads,
    headWidth: config.split('hidden_size', heads, 768),
    epsilon: config.fraction('layer_norm_eps', 1e-6),
  }
  const qkv = biasedIf(config.flag('qkv_bias', true))
  return Array.from({ length: config.count('num_hidden_layers', 12) }, (_, index) => {
    const layer = `encoder.layer.${index}`
    const names = {
      query: qkv(`${layer}.attention.attention.query`),
      key: qkv(`${layer}.attention.attention.key`),
      value: qkv(`${layer}.attention.attention.value`),
      output: `${layer}.attention.output.dense`,
      attentionNorm: `${layer}.norm1`,
      feedForwardNorm: `${layer}.norm2`,
      scales: { attention: `${layer}.layer_scale1.lambda1`, feedForward: `${layer}.layer_scale2.lambda1` },
    }
    return preNormLayer(names, sizes, feedForwardOf(config, `${layer}.mlp`, H))
  })
}

function feedForwardOf(config: ConfigReader, name: string, H: number): FeedForwardPlan {
  const width = Math.floor(H * config.positive('mlp_ratio', 4))
  if (!config.flag('use_swiglu_ffn', false)) {
    const activation = config.choice('hidden_act', ACTIVATION_NAMES, 'gelu')
    return { kind: 'plain', up: linear(`${name}.fc1`), down: linear(`${name}.fc2`), width, activation }
  }
  const joined = linear(`${name}.weights_in`)
  return {
    kind: 'gated',
    gate: partOf(joined, 0, 2),
    up: partOf(joined, 1, 2),
    down: linear(`${name}.weights_out`),
    // Two thirds, a multiple of 8.
    width: Math.ceil(Math.floor((width * 2) / 3) / 8) * 8,
    activation: 'silu',
  }
}
