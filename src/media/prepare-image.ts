import { ServerError } from '../errors.ts'
import type { ImageProcessing } from '../model/spec.ts'
import { decodeImage, readHeader } from './decode-image.ts'
import { digestMedia } from './digest-media.ts'
import { fitPicture } from './fit-picture.ts'
import { patchPlaces } from './patch-places.ts'
import type { PixelGate } from './pixel-gate.ts'
import type { MediaLimits, PreparedMedia } from './protocol.ts'
import type { Picture } from './resample.ts'
import { resample } from './resample.ts'
import { makeLevels, writePatches } from './write-patches.ts'

/** Throws `invalid_request`. */
export async function prepareImage(
  bytes: Uint8Array,
  processing: ImageProcessing,
  { limits, gate }: { limits: MediaLimits; gate: PixelGate },
): Promise<PreparedMedia> {
  const header = await readHeader(bytes, limits)
  return gate.run(header.pixels, async () =>
    cutPicture(await decodeImage(bytes, header, limits), processing, limits),
  )
}

/** Resizes and cuts out of what is decoded: the numbers that a tower reads. */
export function cutPicture(
  picture: Picture,
  processing: ImageProcessing,
  limits: MediaLimits,
): PreparedMedia {
  const { patchSize, leadingTokens, crop } = processing
  const size = fitPicture(picture, processing)
  const { width, height } = crop ?? size
  if (width * height > limits.maxPixels) {
    throw new ServerError(
      'invalid_request',
      `the picture of ${picture.width} × ${picture.height} pixels becomes one of ${width} × ${height}; at most ${limits.maxPixels} are allowed (MEDIA_MAX_PIXELS)`,
    )
  }
  const across = cutAxis(size.width, width)
  const down = cutAxis(size.height, height)
  const small = resample(picture, { width: across, height: down }, processing.resample)
  const levels = makeLevels(processing)
  const layout = { patchSize, leadingTokens, width, height, left: across.offset, top: down.offset }
  const values = writePatches(small, levels, layout)
  const rows = Math.floor(height / patchSize)
  const columns = Math.floor(width / patchSize)
  const units = rows * columns
  // What the numbers are made of tells them apart as well, and is a quarter of their bytes.
  const shape = [small.width, small.height, ...Object.values(layout)]
  const digest = digestMedia(shape, ...levels, small.pixels)
  const prepared = { values, tokens: leadingTokens + units, units, digest }
  if (processing.resize?.kind !== 'patches') return prepared
  const { places } = processing.resize
  return { ...prepared, places: patchPlaces({ rows, columns }, { rows: places, columns: places }) }
}

/**
 * What of an axis is wanted of `resample`, and where in that the cut begins: before it where the picture is too small. As
 * transformers' `center_crop` over NumPy arrays has it: an odd pixel stays at the end of what is cut off.
 */
function cutAxis(
  size: number,
  wanted: number,
): { outputSize: number; first: number; count: number; offset: number } {
  const start = Math.floor((size - wanted) / 2)
  return start < 0
    ? { outputSize: size, first: 0, count: size, offset: start }
    : { outputSize: size, first: start, count: wanted, offset: 0 }
}
