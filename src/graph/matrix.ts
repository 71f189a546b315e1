/** Rows of tensors where they lie: row-major, so that a block of rows is a tensor of its own, and neighbours are one. */
import type { TensorRef } from '../model/spec.ts'

/** A weight [rows, columns]; with a scale [rows, 1], the int8 codes of one: w = codes · scale (compressed-tensors). */
export interface Matrix {
  readonly values: TensorRef
  readonly scale: TensorRef | undefined
}

/** Rows `from` to `from + count`. */
export function rowsOf({ values, scale }: Matrix, from: number, count: number): Matrix {
  return { values: slice(values, from, count), scale: scale && slice(scale, from, count) }
}

export function vectorPart(vector: TensorRef, from: number, count: number): TensorRef {
  return slice(vector, from, count)
}

/** The parts as one tensor, where the file holds them one after the other. */
export function joinNeighbours(parts: readonly TensorRef[]): TensorRef | undefined {
  const [first] = parts
  if (first === undefined) return undefined
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

function slice(tensor: TensorRef, from: number, count: number): TensorRef {
  const [rows = 0, ...rest] = tensor.shape
  const rowBytes = tensor.byteLength / rows
  return {
    ...tensor,
    byteOffset: tensor.byteOffset + from * rowBytes,
    byteLength: count * rowBytes,
    shape: [count, ...rest],
  }
}
