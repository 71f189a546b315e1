/** transformers 5.23, models/clap/modeling_clap.py: HTS-AT, a Swin transformer that reads a spectrogram as a picture. */
import { layerNorm } from '../families/names.ts'
import type { SwinPlan, SwinStage } from '../layers/swin-blocks.ts'
import { buildSwin } from '../layers/swin-blocks.ts'
import { fuseViews, readFusion } from './clap-fusion.ts'
import { TORCH_EPSILON, averageTokens, cutPicture, normMels, projectPatches } from './clap-picture.ts'
import { readSizes, readSwin } from './clap-settings.ts'
import type { AudioTowerFamily } from './tower.ts'

/**
 * Features of a row: its frames one after the other, the mel bands of each side by side; of models that fuse views, what
 * `clap-fusion.ts` says.
 */
export const clapAudio: AudioTowerFamily = {
  modelTypes: ['clap_audio_model'],
  prefixes: ['audio_model.audio_encoder.', 'audio_encoder.'],
  probe: 'patch_embed.proj.weight',
  body: /^(batch_norm|patch_embed|layers|norm)\./,
  ignored: [/\.relative_position_index$/, /(^|\.)num_batches_tracked$/],
  plan(config, processing) {
    const sizes = readSizes(config, processing)
    const swin = readSwin(config, sizes)
    const fusion = readFusion(config, processing)
    const isNormed = config.flag('enable_patch_layer_norm', true)
    const { mels, frames, patch, side } = sizes
    const lines = fusion?.lines(frames) ?? frames
    const { width } = swin.stages[0] as SwinStage
    const last = swin.stages.at(-1) as SwinStage
    return {
      maxTokens: countTokens(swin, (side / patch) ** 2),
      build(shop) {
        const { b, tensors, kernels, headKernels } = shop
        const features = b.reshape(b.input('features', { F: lines * mels }), ['B', lines, mels])
        const normed = normMels(shop, features)
        const patches = cutPicture(b, normed, sizes, { views: [0], height: patch, width: patch })
        const whole = projectPatches(shop, 'patch_embed.proj', patches, [width, patch, patch])
        const tokens = fusion ? fuseViews(shop, whole, { features, normed, sizes, fusion }) : whole
        const norm = isNormed ? tensors.norm(layerNorm('patch_embed.norm', TORCH_EPSILON), width) : undefined
        const states = buildSwin(shop, swin, norm === undefined ? tokens : kernels.norm(b, tokens, norm))
        const finalNorm = tensors.norm(layerNorm('norm', TORCH_EPSILON), last.width)
        return averageTokens(b, headKernels.norm(b, b.cast(states, 'f32'), finalNorm), last.side ** 2)
      },
    }
  },
}

/**
 * What a row counts for among tokens of a vector's width: as many as take the memory of its patches, which are narrower. Later
 * stages have fewer and wider ones, and take less.
 */
function countTokens({ stages }: SwinPlan, patches: number): number {
  const [first, last] = [stages[0], stages.at(-1)] as [SwinStage, SwinStage]
  return Math.ceil((patches * first.width) / last.width)
}
