/** transformers 5.23, models/vit/modeling_vit.py: the class token behind the last norm; a pooler is left alone. */
import type { ImageProcessing } from '../../model/spec.ts'
import type { ConfigReader } from '../config-reader.ts'
import { layerNorm, biasedIf, linear } from '../families/names.ts'
import { preNormLayer } from '../families/pre-norm.ts'
import { ACTIVATION_NAMES } from '../layers/activation.ts'
import type { PreNormLayer } from '../layers/encoder-plan.ts'
import { expectSameGrid, learnedGrid, preparedGrid } from './patch-grid.ts'
import type { ImageTowerFamily, TowerPlan } from './tower.ts'
import { firstTokenTower } from './vision-transformer.ts'

export const vit: ImageTowerFamily = {
  modelTypes: ['vit'],
  prefixes: ['', 'vit.'],
  probe: 'embeddings.cls_token',
  body: /^(embeddings|encoder|layernorm)\./,
  ignored: [/^embeddings\.mask_token$/],
  plan: planOf,
}

function planOf(config: ConfigReader, processing: ImageProcessing): TowerPlan {
  config.expect('num_channels', [3])
  const hiddenSize = config.int('hidden_size', 768)
  const patchSize = config.int('patch_size', 16)
  const grid = preparedGrid(config, processing, { patchSize, leadingTokens: 1 })
  expectSameGrid(config, learnedGrid(config, 224, patchSize), grid)
  return firstTokenTower({
    grid,
    patches: {
      width: hiddenSize,
      patchSize,
      projection: { name: 'embeddings.patch_embeddings.projection', bias: true },
      leading: [{ name: 'embeddings.cls_token', shape: [1, 1, hiddenSize], count: 1 }],
      positions: {
        name: 'embeddings.position_embeddings',
        shape: [1, 1 + grid.height * grid.width, hiddenSize],
        leadingRows: 1,
        grid,
      },
    },
    layers: {
      order: 'pre',
      hiddenSize,
      layers: layersOf(config),
      finalNorm: layerNorm('layernorm', config.fraction('layer_norm_eps', 1e-12)),
    },
  })
}

function layersOf(config: ConfigReader): PreNormLayer[] {
  const heads = config.int('num_attention_heads', 12)
  const sizes = {
    heads,
    headWidth: config.split('hidden_size', heads, 768),
    epsilon: config.fraction('layer_norm_eps', 1e-12),
  }
  const width = config.int('intermediate_size', 3072)
  const activation = config.choice('hidden_act', ACTIVATION_NAMES, 'gelu')
  const qkv = biasedIf(config.flag('qkv_bias', true))
  return Array.from({ length: config.count('num_hidden_layers', 12) }, (_, index) => {
    const layer = `encoder.layer.${index}`
    const names = {
      query: qkv(`${layer}.attention.attention.query`),
      key: qkv(`${layer}.attention.attention.key`),
      value: qkv(`${layer}.attention.attention.value`),
      output: `${layer}.attention.output.dense`,
      attentionNorm: `${layer}.layernorm_before`,
      feedForwardNorm: `${layer}.layernorm_after`,
    }
    const [up, down] = [linear(`${layer}.intermediate.dense`), linear(`${layer}.output.dense`)]
    return preNormLayer(names, sizes, { kind: 'plain', up, down, width, activation })
  })
}
