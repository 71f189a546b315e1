import type { ScaleBlocks } from '../../graph/matrix.ts'

/** Of a matrix of codes. */
export interface Scale {
  readonly numbers: Float32Array
  /** Scales beside each other, for the columns of a row. */
  readonly beside: number
  /** Undefined: one scale for each row. */
  readonly blocks: ScaleBlocks | undefined
}

/**
 * Multiplies each of the numbers, in float32, by its scale. They stand one after the other in a matrix of `columns`, the first
 * at place `from`.
 */
export function scaleNumbers(
  numbers: Float32Array,
  from: number,
  columns: number,
  { numbers: scales, beside, blocks }: Scale,
): void {
  const { rows: height, columns: width, rowsAbove } = blocks ?? { rows: 1, columns, rowsAbove: 0 }
  for (let i = 0; i < numbers.length;) {
    const row = Math.floor((from + i) / columns)
    const column = from + i - row * columns
    const place = Math.floor((row + rowsAbove) / height) * beside + Math.floor(column / width)
    const scale = scales[place] as number
    // What follows in this row has the same scale up to the end of the block.
    const end = Math.min(numbers.length, i + Math.min(width - (column % width), columns - column))
    for (; i < end; i++) numbers[i] = (numbers[i] as number) * scale
  }
}
