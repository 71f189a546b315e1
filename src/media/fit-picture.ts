import type { ImageProcessing } from '../model/spec.ts'

interface Size {
  readonly width: number
  readonly height: number
}

/** The size that a picture is resized to, before it is cut: transformers 5.23, image_transforms and image_processing_siglip2. */
export function fitPicture(
  { width, height }: Size,
  { resize, patchSize }: Pick<ImageProcessing, 'resize' | 'patchSize'>,
): Size {
  switch (resize?.kind) {
    case undefined:
      return { width, height }
    case 'exact':
      return { width: resize.width, height: resize.height }
    case 'shortest_edge': {
      const long = Math.trunc((resize.edge * Math.max(width, height)) / Math.min(width, height))
      return width <= height ? { width: resize.edge, height: long } : { width: long, height: resize.edge }
    }
    case 'patches':
      return fitPatches({ width, height }, patchSize, resize.maxPatches)
    default:
      return resize satisfies never
  }
}

/** The search ends when it knows the scale to within this. */
const SCALE_PRECISION = 1e-5
const MAX_SCALE = 100

/** The largest scale at which whole patches cover the picture and are not too many. */
function fitPatches({ width, height }: Size, patchSize: number, maxPatches: number): Size {
  let low = SCALE_PRECISION / 10
  let high = MAX_SCALE
  while (high - low >= SCALE_PRECISION) {
    const scale = (low + high) / 2
    if (countPatches(width, scale, patchSize) * countPatches(height, scale, patchSize) <= maxPatches)
      low = scale
    else high = scale
  }
  return {
    width: countPatches(width, low, patchSize) * patchSize,
    height: countPatches(height, low, patchSize) * patchSize,
  }
}

function countPatches(length: number, scale: number, patchSize: number): number {
  return Math.max(Math.ceil((length * scale) / patchSize), 1)
}
