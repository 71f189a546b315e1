import type { EmbedResult } from '../../task.ts'

/** Cosine of each pair of rows [a, b] of a result whose vectors have unit length. */
export function cosines(
  { vectors, dimensions }: EmbedResult,
  pairs: Iterable<readonly [number, number]>,
): Float32Array {
  const row = (index: number) => vectors.subarray(index * dimensions, (index + 1) * dimensions)
  return Float32Array.from(pairs, ([a, b]) => dot(row(a), row(b)))
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let index = 0; index < a.length; index++) sum += (a[index] as number) * (b[index] as number)
  return sum
}
