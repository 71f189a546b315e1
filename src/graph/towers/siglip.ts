/** transformers 5.23, models/siglip/modeling_siglip.py: the side of pictures. */
import type { ConfigReader } from '../config-reader.ts'
import { layerNorm, linear } from '../families/names.ts'
import { SIGLIP, siglipEpsilon, siglipLayers } from '../families/siglip.ts'
import type { Value } from '../ir.ts'
import { ACTIVATION_NAMES } from '../layers/activation.ts'
import { poolByAttention } from '../layers/attention-pooling.ts'
import type { AttentionPoolingPlan } from '../layers/attention-pooling.ts'
import type { PreNormLayers } from '../layers/encoder-plan.ts'
import type { Workshop } from '../layers/encoder.ts'
import { buildLayers } from '../layers/encoder.ts'
import { embedPatches } from '../layers/patch-embeddings.ts'
import { expectSameGrid, learnedGrid, preparedGrid } from './patch-grid.ts'
import type { ImageTowerFamily } from './tower.ts'

export const siglipVision: ImageTowerFamily = {
  modelTypes: ['siglip_vision_model'],
  prefixes: ['vision_model.', ''],
  probe: 'embeddings.patch_embedding.weight',
  body: /^(embeddings|encoder|post_layernorm|head)\./,
  ignored: [/^embeddings\.position_ids$/],
  plan(config, processing) {
    const patchSize = config.int('patch_size', 16)
    const body = readBody(config)
    const grid = preparedGrid(config, processing, { patchSize, leadingTokens: 0 })
    expectSameGrid(config, learnedGrid(config, 224, patchSize), grid)
    const places = grid.height * grid.width
    const { hiddenSize: width } = body.layers
    const name = 'embeddings.position_embedding.weight'
    const patches = {
      width,
      patchSize,
      projection: { name: 'embeddings.patch_embedding', bias: true },
      leading: [],
      positions: { name, shape: [places, width], leadingRows: 0, grid },
    }
    return {
      maxTokens: places,
      build: (shop) => buildBody(shop, body, embedPatches(shop, patches)),
    }
  },
}

export interface SiglipBody {
  readonly layers: PreNormLayers
  readonly pooling: AttentionPoolingPlan
}

/** Throws `model_unsupported` for a tower that leaves pooling to others. */
export function readBody(config: ConfigReader): SiglipBody {
  config.expect('num_channels', [3])
  config.expect('vision_use_head', [true])
  const epsilon = siglipEpsilon(config)
  const finalNorm = layerNorm('post_layernorm', epsilon)
  const hiddenSize = config.int('hidden_size', SIGLIP.hiddenSize)
  return {
    layers: { order: 'pre', hiddenSize, layers: siglipLayers(config), finalNorm },
    pooling: {
      probe: 'head.probe',
      weight: 'head.attention.in_proj_weight',
      bias: 'head.attention.in_proj_bias',
      output: linear('head.attention.out_proj'),
      norm: layerNorm('head.layernorm', epsilon),
      up: linear('head.mlp.fc1'),
      down: linear('head.mlp.fc2'),
      heads: config.int('num_attention_heads', SIGLIP.heads),
      width: config.int('intermediate_size', SIGLIP.width),
      activation: config.choice('hidden_act', ACTIVATION_NAMES, SIGLIP.activation),
    },
  }
}

/** [T, H] to [B, H] float32. */
export function buildBody(shop: Workshop, { layers, pooling }: SiglipBody, embedded: Value): Value {
  return poolByAttention(shop, buildLayers(shop, layers, embedded), pooling)
}
