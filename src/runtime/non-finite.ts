import type { Outputs } from './session.ts'

/** Rows that hold a NaN or an infinity, in their own numbers or in the vectors of their tokens. */
export function findNonFinite({ rows, tokens }: Outputs, bounds: Int32Array): number[] {
  const rowCount = bounds.length - 1
  const width = rows.length / rowCount
  const tokenWidth = (tokens?.length ?? 0) / (bounds[rowCount] as number)
  const found: number[] = []
  for (let b = 0; b < rowCount; b++) {
    const from = (bounds[b] as number) * tokenWidth
    const to = (bounds[b + 1] as number) * tokenWidth
    if (!allFinite(rows, b * width, (b + 1) * width) || (tokens && !allFinite(tokens, from, to)))
      found.push(b)
  }
  return found
}

/** A loop of its own: token vectors are hundreds of thousands of numbers, too many for a call each. */
function allFinite(values: Float32Array, from: number, to: number): boolean {
  for (let index = from; index < to; index++) {
    if (!Number.isFinite(values[index])) return false
  }
  return true
}
