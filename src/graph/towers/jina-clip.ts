/** The side of pictures of jina-clip-v2: EVA-02, as Jina's own code has it; transformers has none. */
import type { ConfigReader } from '../config-reader.ts'
import type { EvaPlan } from '../layers/eva-blocks.ts'
import { buildEvaBlocks } from '../layers/eva-blocks.ts'
import type { GridRotaryPlan } from '../layers/grid-rotary.ts'
import { embedPatches } from '../layers/patch-embeddings.ts'
import { expectSameGrid, learnedGrid, preparedGrid } from './patch-grid.ts'
import type { ImageTowerFamily } from './tower.ts'
import { firstTokens } from './vision-transformer.ts'

export const jinaClipVision: ImageTowerFamily = {
  modelTypes: ['jina_clip_vision'],
  prefixes: ['vision_model.', ''],
  probe: 'patch_embed.proj.weight',
  body: /^(cls_token$|pos_embed$|(patch_embed|blocks|norm|fc_norm|head|proj)\.)/,
  // Of files that hold what is computed here.
  ignored: [/^(blocks\.\d+\.attn\.)?rope\.freqs_(cos|sin)$/],
  plan(config, processing) {
    const patchSize = config.int('patch_size', 16)
    const grid = preparedGrid(config, processing, { patchSize, leadingTokens: 1 })
    expectSameGrid(config, learnedGrid(config, 224, patchSize), grid)
    const places = 1 + grid.height * grid.width
    const blocks = readBlocks(config, grid.width)
    const { hiddenSize: width } = blocks
    const patches = {
      width,
      patchSize,
      projection: { name: 'patch_embed.proj', bias: true },
      leading: [{ name: 'cls_token', shape: [1, 1, width], count: 1 }],
      positions: { name: 'pos_embed', shape: [1, places, width], leadingRows: 1, grid },
    }
    return {
      maxTokens: places,
      build: (shop) => firstTokens(shop, buildEvaBlocks(shop, blocks, embedPatches(shop, patches))),
    }
  },
}

/** Throws `model_unsupported` for the forms of EVA that no such model has. */
function readBlocks(config: ConfigReader, side: number): EvaPlan {
  // What is not said of these is false.
  for (const key of ['naive_swiglu', 'subln', 'rope_embeddings']) {
    config.expect(key, [true])
    if (!config.has(key)) throw config.invalid(`config.json must say ${key} for a tower of this kind`)
  }
  config.expect('qkv_bias', [true])
  config.expect('post_norm', [false])
  for (const key of ['ls_init_value', 'proj_type']) config.expect(key, [])
  const hiddenSize = config.int('width', 768)
  const headWidth = config.int('head_width', 64)
  if (headWidth % 4 !== 0)
    throw config.invalid(`config.json has head_width ${headWidth}; it must be a multiple of 4`)
  const heads = hiddenSize / headWidth
  if (config.int('embed_dim', 768) !== hiddenSize || !Number.isInteger(heads))
    throw config.invalid(
      `width in config.json is ${hiddenSize}; it must be embed_dim, and a multiple of head_width`,
    )
  return {
    layers: config.count('layers', 12),
    hiddenSize,
    heads,
    headWidth,
    width: Math.trunc(hiddenSize * config.positive('mlp_ratio', 4)),
    rotary: readRotary(config, headWidth, side),
  }
}

/** `intp_freq`: the grid is laid over the one that was trained on first. */
function readRotary(config: ConfigReader, headWidth: number, side: number): GridRotaryPlan {
  const trained = config.int('pt_hw_seq_len', 16)
  if (!config.flag('intp_freq', false) && side !== trained)
    throw config.invalid(
      `config.json has pt_hw_seq_len ${trained} without intp_freq; it must be ${side}, as are patches of a side`,
    )
  const half = headWidth / 2
  return {
    side,
    leading: 1,
    frequencies: Array.from({ length: half / 2 }, (_, j) => 10_000 ** ((-2 * j) / half)),
    step: trained / side,
  }
}
