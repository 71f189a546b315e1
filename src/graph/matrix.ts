/** Rows of tensors where they lie: row-major, so that a block of rows is a tensor of its own, and neighbours are one. */
import type { TensorRef } from '../model/spec.ts'

/** A weight [rows, columns]; with a scale, the codes of one: w = codes · scale. */
export interface Matrix {
  readonly values: TensorRef
  /** One number a row, [rows, 1], or one a block, [blocks below each other, blocks beside each other]. */
  readonly scale: TensorRef | undefined
  readonly blocks?: ScaleBlocks
}

/** Numbers that share a scale. The last blocks may be cut short. */
export interface ScaleBlocks {
  readonly rows: number
  readonly columns: number
  /** Rows of the first block that lie above the matrix, where it is a part of one. */
  readonly rowsAbove: number
}

/** Rows `from` to `from + count`. */
export function rowsOf({ values, scale, blocks }: Matrix, from: number, count: number): Matrix {
  const part = slice(values, from, count)
  if (scale === undefined || blocks === undefined)
    return { values: part, scale: scale && slice(scale, from, count) }
  const start = blocks.rowsAbove + from
  const first = Math.floor(start / blocks.rows)
  const end = Math.ceil((start + count) / blocks.rows)
  return {
    values: part,
    scale: slice(scale, first, end - first),
    blocks: { ...blocks, rowsAbove: start - first * blocks.rows },
  }
}

/**
 * Whether a graph must have the matrix made for it: fp8 codes, of which it knows nothing, and scales that are not one a row.
 * Other codes it can multiply with their scales itself.
 */
export function mustBeMade({ values, blocks }: Matrix): boolean {
  return values.dtype === 'F8_E4M3' || blocks !== undefined
}

export function vectorPart(vector: TensorRef, from: number, count: number): TensorRef {
  return slice(vector, from, count)
}

/** The parts as one tensor, where the file holds them one after the other, row by row. */
export function joinNeighbours(parts: readonly TensorRef[]): TensorRef | undefined {
  const [first] = parts
  if (first === undefined || parts.some(({ strides }) => strides !== undefined)) return undefined
  let end = first.byteOffset
  let rows = 0
  for (const { file, dtype, shape, byteOffset, byteLength } of parts) {
    const fits = file === first.file && dtype === first.dtype && byteOffset === end
    if (!fits || shape.slice(1).join() !== first.shape.slice(1).join()) return undefined
    end += byteLength
    rows += shape[0] ?? 0
  }
  return { ...first, byteLength: end - first.byteOffset, shape: [rows, ...first.shape.slice(1)] }
}

/** Rows `from` to `from + count` of a tensor. */
export function slice(tensor: TensorRef, from: number, count: number): TensorRef {
  const [rows = 0, ...rest] = tensor.shape
  const rowBytes = tensor.byteLength / rows
  return {
    ...tensor,
    byteOffset: tensor.byteOffset + from * (rowStepOf(tensor) ?? rowBytes),
    byteLength: count * rowBytes,
    shape: [count, ...rest],
  }
}

/** Bytes from one row to the next, where that is not the length of a row. */
function rowStepOf({ byteLength, shape, strides }: TensorRef): number | undefined {
  const [step] = strides ?? []
  const numbers = shape.reduce((product, size) => product * size, 1)
  return step === undefined ? undefined : (step * byteLength) / numbers
}
