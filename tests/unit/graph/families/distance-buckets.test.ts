import { expect, test } from 'vitest'
import { distanceBucket } from '../../../../src/graph/families/distance-buckets.ts'

/** First distance of each bucket of one direction, as transformers 5.23 computes them in float32. */
const REFERENCE = [
  { buckets: 32, far: 128, first: [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91] },
  { buckets: 12, far: 20, first: [0, 1, 2, 3, 6, 11] },
  { buckets: 20, far: 50, first: [0, 1, 2, 3, 4, 5, 8, 13, 20, 32] },
]

test.each(REFERENCE)('$buckets buckets up to $far are those of the reference', ({ buckets, far, first }) => {
  for (let distance = 0; distance <= 600; distance++) {
    const bucket = first.findLastIndex((least) => least <= distance)
    expect(distanceBucket(-distance, { buckets, far })).toBe(bucket)
    if (distance > 0) expect(distanceBucket(distance, { buckets, far })).toBe(buckets / 2 + bucket)
  }
})
