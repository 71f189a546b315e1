import { expect, test } from 'vitest'
import { WEIGHT_BITS, weighAxis } from '../../../src/media/resample-weights.ts'

const FILTERS = ['box', 'bilinear', 'hamming', 'bicubic', 'lanczos'] as const
const SIZES = [1, 2, 3, 5, 7, 16, 31, 224, 225, 1000, 8000]

// The loops that read them run at least once, and read what a place says without looking where it ends.
test.each(FILTERS)(
  '%s: every place has weights, of places that there are, which sum to one but for rounding',
  (filter) => {
    for (const inputSize of SIZES) {
      for (const outputSize of SIZES) {
        const { starts, counts, weights, stride } = weighAxis(
          { inputSize, outputSize, first: 0, count: outputSize },
          filter,
        )
        for (let place = 0; place < outputSize; place++) {
          const [start, count] = [starts[place] as number, counts[place] as number]
          const sum = weights
            .subarray(place * stride, place * stride + count)
            .reduce((all, one) => all + one, 0)
          const isSound =
            count >= 1 &&
            count <= stride &&
            start >= 0 &&
            start + count <= inputSize &&
            Math.abs(sum - 2 ** WEIGHT_BITS) <= count / 2
          if (!isSound)
            expect.fail(`${inputSize} → ${outputSize}, place ${place}: ${count} from ${start}, sum ${sum}`)
        }
      }
    }
  },
)
