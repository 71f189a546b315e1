/** Every kernel of the interpreter against ONNX Runtime's own on the CPU, on numbers drawn at random. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { OPERATORS } from '../../src/graph/ops.ts'
import { KERNELS } from './interpret.ts'
import { TRIALS } from './operator-trials.ts'
import { Draw, distanceOf } from './trial.ts'

/** Of the largest number of an output. Float32 sums of a few products differ by less, whatever their order. */
const TOLERANCE = 1e-5

/** Both round what they store to float16: the last of its 11 bits may differ. */
const HALF_TOLERANCE = 2 ** -10

const RUNS = 15

test('every operator that graphs may use is interpreted, and confirmed', () => {
  const operators = Object.keys(OPERATORS).sort()
  expect(Object.keys(KERNELS).sort()).toEqual(operators)
  expect(Object.keys(TRIALS).sort()).toEqual(operators)
  for (const { trials } of Object.values(TRIALS)) expect(trials.length).toBeGreaterThan(0)
})

test('only operators without a CPU kernel are confirmed by another', () => {
  const replaced = Object.entries(TRIALS).filter(([, { instead }]) => instead !== undefined)
  expect(replaced.map(([op]) => op)).toEqual(['PackedMultiHeadAttention'])
})

describe.each(Object.entries(TRIALS))('%s', (_, { instead, trials }) => {
  const by = instead ?? "ONNX Runtime's CPU kernel"
  test.each(trials.map((make, index) => [index + 1, make] as const))(
    `is as ${by} computes it, form %i`,
    async (_, make) => {
      await fc.assert(
        fc.asyncProperty(fc.integer(), async (seed) => {
          const trial = make(new Draw(seed))
          expect(await distanceOf(trial)).toBeLessThanOrEqual(trial.isHalf ? HALF_TOLERANCE : TOLERANCE)
        }),
        { numRuns: RUNS },
      )
    },
  )
})
