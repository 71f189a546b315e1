/** transformers 5.23, models/clip/modeling_clip.py: the side of pictures. */
import { clipLayers } from '../families/clip.ts'
import { layerNorm } from '../families/names.ts'
import { expectSameGrid, learnedGrid, preparedGrid } from './patch-grid.ts'
import type { ImageTowerFamily } from './tower.ts'
import { firstTokenTower } from './vision-transformer.ts'

export const clipVision: ImageTowerFamily = {
  modelTypes: ['clip_vision_model'],
  prefixes: ['vision_model.', '', 'clip.vision_model.'],
  probe: 'embeddings.class_embedding',
  body: /^(embeddings|pre_layrnorm|encoder|post_layernorm)\./,
  ignored: [/^embeddings\.position_ids$/],
  plan(config, processing) {
    config.expect('num_channels', [3])
    const hiddenSize = config.int('hidden_size', 768)
    const patchSize = config.int('patch_size', 32)
    const epsilon = config.fraction('layer_norm_eps', 1e-5)
    const grid = preparedGrid(config, processing, { patchSize, leadingTokens: 1 })
    const learned = learnedGrid(config, 224, patchSize)
    expectSameGrid(config, learned, grid)
    const places = 1 + grid.height * grid.width
    return firstTokenTower({
      grid,
      patches: {
        width: hiddenSize,
        patchSize,
        projection: { name: 'embeddings.patch_embedding', bias: false },
        leading: [{ name: 'embeddings.class_embedding', shape: [hiddenSize], count: 1 }],
        positions: {
          name: 'embeddings.position_embedding.weight',
          shape: [places, hiddenSize],
          leadingRows: 1,
          grid,
        },
        // Its authors' own spelling.
        norm: layerNorm('pre_layrnorm', epsilon),
      },
      layers: {
        order: 'pre',
        hiddenSize,
        layers: clipLayers(config, {
          hiddenSize,
          heads: 12,
          width: 3072,
          layers: 12,
          activation: 'quick_gelu',
          epsilon: 1e-5,
          causal: false,
        }),
        finalNorm: layerNorm('post_layernorm', epsilon),
      },
    })
  },
}
