import { ServerError } from '../../errors.ts'
import type { ModelSpec } from '../../model/spec.ts'
import { findPrefix } from '../tensor-table.ts'
import { clapAudio } from './clap.ts'
import { clipVision } from './clip.ts'
import { dinov2, dinov2Registers } from './dinov2.ts'
import { jinaClipVision } from './jina-clip.ts'
import { siglipVision } from './siglip.ts'
import { siglip2Vision } from './siglip2.ts'
import type { AudioTowerFamily, ImageTowerFamily, Tower } from './tower.ts'
import { vit } from './vit.ts'

export const IMAGE_TOWERS: readonly ImageTowerFamily[] = [
  clipVision,
  vit,
  dinov2,
  dinov2Registers,
  siglipVision,
  siglip2Vision,
  jinaClipVision,
]

export const AUDIO_TOWERS: readonly AudioTowerFamily[] = [clapAudio]

/**
 * The tower of a folder among those of its modality. Where several share a type, the tensors tell; the last is spoken of where
 * none fits. Throws `model_unsupported`, listing what is supported.
 */
export function findTower<P>(
  towers: readonly Tower<P>[],
  modelType: string,
  { name, tensors }: Pick<ModelSpec, 'name' | 'tensors'>,
): Tower<P> {
  const candidates = towers.filter((tower) => tower.modelTypes.includes(modelType))
  const tower = candidates.find((candidate) => findPrefix(candidate, tensors) !== undefined)
  const found = tower ?? candidates.at(-1)
  if (found !== undefined) return found
  const supported = [...new Set(towers.flatMap(({ modelTypes }) => modelTypes))].join(', ')
  throw new ServerError(
    'model_unsupported',
    `${name}: towers of model_type "${modelType}" are not supported; supported are: ${supported}`,
  )
}
