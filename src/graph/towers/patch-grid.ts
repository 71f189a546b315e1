/** How many patches a tower's pictures have, and whether they are prepared as it reads them. */
import { ServerError } from '../../errors.ts'
import type { ImageProcessing } from '../../model/spec.ts'
import type { ConfigReader } from '../config-reader.ts'
import type { PatchGrid } from '../layers/patch-positions.ts'

/** Patches of config.json's `image_size`, for which there are positions. */
export function learnedGrid(config: ConfigReader, imageSize: number, patchSize: number): PatchGrid {
  const side = Math.floor(config.int('image_size', imageSize) / patchSize)
  if (side > 0) return { height: side, width: side }
  throw config.invalid(`image_size in config.json is less than a patch of ${patchSize} pixels`)
}

export interface ReadAs {
  readonly patchSize: number
  /** Lines of zeros before the patches. */
  readonly leadingTokens: number
}

/**
 * Patches of every picture. Throws `model_unsupported` where pictures have different sizes, and `graph_invalid` where their
 * preparation is another tower's (our own mistake).
 */
export function preparedGrid(config: ConfigReader, processing: ImageProcessing, as: ReadAs): PatchGrid {
  const { patchSize, leadingTokens } = processing
  if (patchSize !== as.patchSize || leadingTokens !== as.leadingTokens) {
    const wanted = `patches of ${as.patchSize} pixels after ${as.leadingTokens} lines`
    throw new ServerError(
      'graph_invalid',
      `pictures become patches of ${patchSize} pixels after ${leadingTokens} lines; the tower reads ${wanted}`,
    )
  }
  const { height, width } = preparedSize(config, processing)
  const grid = { height: Math.floor(height / patchSize), width: Math.floor(width / patchSize) }
  if (grid.height > 0 && grid.width > 0) return grid
  throw config.invalid(`pictures of ${height} × ${width} pixels hold no patch of ${patchSize}`)
}

function preparedSize(config: ConfigReader, { crop, resize }: ImageProcessing): PatchGrid {
  if (crop !== undefined) return crop
  if (resize?.kind === 'exact') return resize
  throw config.unsupported(
    'its pictures are neither cropped nor resized to one size, and may have any number of patches; this tower reads one size',
  )
}

/** Throws `model_invalid` where there are positions for other patches than the pictures have. */
export function expectSameGrid(config: ConfigReader, learned: PatchGrid, prepared: PatchGrid): void {
  if (learned.height === prepared.height && learned.width === prepared.width) return
  throw config.invalid(
    `pictures are prepared as ${prepared.height} × ${prepared.width} patches; config.json's image_size has positions for ${learned.height} × ${learned.width}`,
  )
}
