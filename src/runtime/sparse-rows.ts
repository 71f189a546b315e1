/** Rows of which most numbers are 0, told by the others. */
export interface SparseRows {
  /** Index and value in turn, by ascending index, the rows one after the other. */
  readonly pairs: Float32Array<ArrayBuffer>
  /** Where in `pairs` each row begins, and where the last one ends: [B + 1]. */
  readonly bounds: Int32Array<ArrayBuffer>
  /** Numbers that each row keeps: [B]. */
  readonly counts: Float32Array<ArrayBuffer>
}

/** Of [B, width]. An index is exact as float32 below 2^24, and no vocabulary is near that. */
export function toSparse(rows: Float32Array, rowCount: number): SparseRows {
  const width = rows.length / rowCount
  const bounds = new Int32Array(rowCount + 1)
  for (let b = 0; b < rowCount; b++) {
    let count = 0
    for (let i = b * width; i < (b + 1) * width; i++) if (rows[i] !== 0) count++
    bounds[b + 1] = (bounds[b] as number) + 2 * count
  }
  const pairs = new Float32Array(bounds[rowCount] as number)
  let next = 0
  for (let i = 0; i < rows.length; i++) {
    if (rows[i] === 0) continue
    pairs[next++] = i % width
    pairs[next++] = rows[i] as number
  }
  const counts = Float32Array.from({ length: rowCount }, (_, b) => {
    return ((bounds[b + 1] as number) - (bounds[b] as number)) / 2
  })
  return { pairs, bounds, counts }
}
