/** Learned tables of distances: near ones have a row each, those farther away share rows by their logarithm. */

/** Numbers of every pair of tokens are in memory at once: what a longer text took, no machine would have. */
export const LONGEST_ROW = 8192

export interface BucketOptions {
  /** For both directions together. */
  readonly buckets: number
  /** Distance from which on all are alike. */
  readonly far: number
}

/**
 * Bucket of a key that stands `distance` tokens after the query (Raffel et al. 2020, both directions); those before it come
 * first. In float32, as the reference computes it: other roundings would move a distance to the neighbour's bucket.
 */
export function distanceBucket(distance: number, { buckets, far }: BucketOptions): number {
  const half = Math.floor(buckets / 2)
  const exact = Math.floor(half / 2)
  const first = distance > 0 ? half : 0
  const away = Math.abs(distance)
  if (away < exact) return first + away
  const { fround, log } = Math
  const growth = fround(fround(log(fround(away / exact))) / fround(log(far / exact)))
  return first + Math.min(exact + Math.trunc(fround(growth * fround(half - exact))), half - 1)
}
