/** What config.json and preprocessor_config.json say of HTS-AT, checked: sizes that the reference pads are refused. */
import type { AudioProcessing } from '../../model/spec.ts'
import type { ConfigReader } from '../config-reader.ts'
import { biasedIf, layerNorm, linear, unbiased } from '../families/names.ts'
import { ACTIVATION_NAMES } from '../layers/activation.ts'
import type { SwinBlock, SwinPlan, SwinStage } from '../layers/swin-blocks.ts'
import type { PictureSizes } from './clap-picture.ts'
import { TORCH_EPSILON } from './clap-picture.ts'

/** Of the picture: four times that of every model known. */
const MOST_SIDE = 1024
const MOST_STAGES = 8
/** Blocks of a stage. */
const MOST_BLOCKS = 100
/** Heads of all windows, which are those of one node: CUDA's kernels have a thread for each in a block. */
const MOST_HEADS = 1024

/** Throws `model_invalid` where the spectrogram is not what the picture is made of. */
export function readSizes(config: ConfigReader, processing: AudioProcessing): PictureSizes {
  const { featureSize, maxSamples, hopLength } = processing
  const mels = config.int('num_mel_bins', 64, 1, MOST_SIDE)
  const side = config.int('spec_size', 256, 1, MOST_SIDE)
  const [patch, stride] = [readSide(config, 'patch_size'), readSide(config, 'patch_stride')]
  config.expect('patch_embed_input_channels', [1])
  config.expect('flatten_patch_embeds', [true])
  if (patch !== stride)
    throw config.invalid(
      `patch_size ${patch} in config.json must be patch_stride ${stride}: patches do not overlap`,
    )
  if (side % mels !== 0 || mels % patch !== 0)
    throw config.invalid(
      `spec_size ${side} in config.json must be a multiple of num_mel_bins ${mels}, and that of patch_size ${patch}`,
    )
  if (featureSize !== mels)
    throw config.invalid(
      `preprocessor_config.json has feature_size ${featureSize}; num_mel_bins of config.json is ${mels}`,
    )
  const frames = Math.floor(maxSamples / hopLength) + 1
  const most = side * (side / mels)
  if (frames > most)
    throw config.invalid(
      `preprocessor_config.json makes ${frames} frames of nb_max_samples ${maxSamples}; spec_size ${side} of config.json takes ${most}`,
    )
  return { mels, frames, side, patch }
}

/** One number, or two that are the same. */
function readSide(config: ConfigReader, key: string): number {
  const [height = 1, width = height] = config.ints(key, [4], { entries: 2, most: MOST_SIDE })
  if (height === width) return height
  throw config.invalid(`${key} in config.json is ${height} by ${width}; patches must be square`)
}

export function readSwin(config: ConfigReader, { side, patch }: PictureSizes): SwinPlan {
  const depths = config.ints('depths', [2, 2, 6, 2], { entries: MOST_STAGES, most: MOST_BLOCKS })
  const heads = config.ints('num_attention_heads', [4, 8, 16, 32], { entries: MOST_STAGES })
  if (heads.length !== depths.length)
    throw config.invalid(
      `num_attention_heads in config.json has ${heads.length} entries, depths ${depths.length}; they must be as many`,
    )
  const window = config.int('window_size', 8, 1, MOST_SIDE)
  const firstWidth = config.int('patch_embeds_hidden_size', 96)
  const stages = depths.map((depth, index): SwinStage => {
    const name = `layers.${index}`
    const sizes = {
      side: side / patch / 2 ** index,
      width: firstWidth * 2 ** index,
      heads: heads[index] as number,
      window,
    }
    expectFit(config, sizes, index)
    const shift = sizes.side > window ? Math.floor(window / 2) : 0
    const blocks = Array.from({ length: depth }, (_, k) =>
      readBlock(config, `${name}.blocks.${k}`, { width: sizes.width, shift: k % 2 === 0 ? 0 : shift }),
    )
    if (index === depths.length - 1) return { ...sizes, blocks }
    const norm = layerNorm(`${name}.downsample.norm`, TORCH_EPSILON)
    return { ...sizes, blocks, merge: { norm, reduction: unbiased(`${name}.downsample.reduction`) } }
  })
  return { stages, activation: config.choice('hidden_act', ACTIVATION_NAMES, 'gelu') }
}

/** The reference pads grids that windows do not divide, and attends to the padding too; no model is known that has one. */
function expectFit(
  config: ConfigReader,
  { side, width, heads, window }: Omit<SwinStage, 'blocks'>,
  index: number,
): void {
  if (!Number.isInteger(side / window))
    throw config.invalid(
      `stage ${index} has ${side} by ${side} tokens; window_size ${window} in config.json must divide them`,
    )
  if (width % heads !== 0)
    throw config.invalid(
      `stage ${index} is ${width} wide; ${heads} in num_attention_heads of config.json must divide that`,
    )
  const allHeads = heads * (side / window) ** 2
  if (allHeads > MOST_HEADS)
    throw config.invalid(
      `stage ${index} has ${allHeads} heads in all windows of window_size ${window} in config.json; at most ${MOST_HEADS} are supported`,
    )
}

interface BlockSizes {
  readonly width: number
  readonly shift: number
}

function readBlock(config: ConfigReader, name: string, { width, shift }: BlockSizes): SwinBlock {
  const epsilon = config.fraction('layer_norm_eps', 1e-5)
  const projection = biasedIf(config.flag('qkv_bias', true))
  const attention = `${name}.attention.self`
  return {
    shift,
    attentionNorm: layerNorm(`${name}.layernorm_before`, epsilon),
    query: projection(`${attention}.query`),
    key: projection(`${attention}.key`),
    value: projection(`${attention}.value`),
    output: linear(`${name}.attention.output.dense`),
    positions: `${attention}.relative_position_bias_table`,
    feedForwardNorm: layerNorm(`${name}.layernorm_after`, epsilon),
    up: linear(`${name}.intermediate.dense`),
    down: linear(`${name}.output.dense`),
    upWidth: Math.floor(config.positive('mlp_ratio', 4) * width),
  }
}
