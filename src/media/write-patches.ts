import type { ImageProcessing } from '../model/spec.ts'
import type { Picture } from './resample.ts'

const LEVELS = 256

/** What each of 256 levels of each channel becomes: all that scaling and normalizing do. */
export type Levels = readonly [red: Float32Array, green: Float32Array, blue: Float32Array]

/** In single precision and in this order: transformers' `rescale` and `normalize` over NumPy arrays. */
export function makeLevels({ scale, mean, std }: Pick<ImageProcessing, 'scale' | 'mean' | 'std'>): Levels {
  const ofChannel = (channel: 0 | 1 | 2) =>
    Float32Array.from({ length: LEVELS }, (_, level) => {
      const scaled = Math.fround(level * (scale ?? 1))
      const centered = mean === undefined ? scaled : Math.fround(scaled - Math.fround(mean[channel]))
      return std === undefined ? centered : centered / Math.fround(std[channel])
    })
  return [ofChannel(0), ofChannel(1), ofChannel(2)]
}

export interface PatchLayout {
  readonly patchSize: number
  readonly leadingTokens: number
  /** Of the picture that is cut: what it lacks is black, beginning `top` rows and `left` columns before it. */
  readonly width: number
  readonly height: number
  readonly left: number
  readonly top: number
}

/**
 * [leadingTokens + rows · columns, 3 · patchSize²]: first lines of zeros, then a line for each patch, row by row, its numbers
 * in the order (channel, y, x), which is that of a convolution's weight. What is left of a patch at the right and at the
 * bottom is dropped, as a convolution drops it.
 */
export function writePatches(
  picture: Picture,
  levels: Levels,
  layout: PatchLayout,
): Float32Array<SharedArrayBuffer> {
  const { patchSize, leadingTokens } = layout
  const rows = Math.floor(layout.height / patchSize)
  const columns = Math.floor(layout.width / patchSize)
  const lineLength = 3 * patchSize * patchSize
  const length = (leadingTokens + rows * columns) * lineLength
  const values = new Float32Array(new SharedArrayBuffer(length * Float32Array.BYTES_PER_ELEMENT))
  for (let y = 0; y < rows * patchSize; y++) {
    const line = leadingTokens + Math.floor(y / patchSize) * columns
    const start = line * lineLength + (y % patchSize) * patchSize
    for (let channel = 0; channel < 3; channel++) {
      const row = { y: y + layout.top, left: layout.left, channel, columns, patchSize }
      writeRow(picture, row, levels[channel] as Float32Array, values, start + channel * patchSize * patchSize)
    }
  }
  return values
}

interface Row {
  readonly y: number
  readonly left: number
  readonly channel: number
  readonly columns: number
  readonly patchSize: number
}

function writeRow(
  { pixels, width, height }: Picture,
  { y, left, channel, columns, patchSize }: Row,
  levels: Float32Array,
  values: Float32Array,
  start: number,
): void {
  const lineLength = 3 * patchSize * patchSize
  const first = y * width * 3 + channel
  // Beyond the picture is black: of such a row no place is inside.
  const end = y >= 0 && y < height ? width : 0
  const black = levels[0] as number
  let x = left
  for (let column = 0; column < columns; column++) {
    const to = start + column * lineLength
    if (x >= 0 && x + patchSize <= end) {
      let from = first + x * 3
      for (let step = 0; step < patchSize; step++, from += 3) {
        values[to + step] = levels[pixels[from] as number] as number
      }
    } else {
      for (let step = 0; step < patchSize; step++) {
        const at = x + step
        const isInside = at >= 0 && at < end
        values[to + step] = isInside ? (levels[pixels[first + at * 3] as number] as number) : black
      }
    }
    x += patchSize
  }
}
