import { expect, test } from 'vitest'
import { cubicTaps } from '../../../../src/graph/towers/clap-stretch.ts'

/** Numbers whose neighbours have little to do with each other. */
function wild(count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, index) => Math.sin(index * index))
}

function stretch(x: Float32Array, to: number): number[] {
  const taps = cubicTaps(x.length, to)
  return Array.from({ length: to }, (_, index) =>
    taps.reduce(
      (sum, { places, weights }) => sum + (x[places[index] ?? NaN] ?? NaN) * (weights[index] ?? NaN),
      0,
    ),
  )
}

/** torch 2.15, interpolate with mode bicubic and align_corners. With places in float64 some differ by more than 1e-6. */
test.each([
  [1001, 1024, 1, 0.8527197241783142],
  [1001, 1024, 500, 0.5790090560913086],
  [1001, 1024, 777, 0.1374538540840149],
  [1001, 1024, 1022, -0.9657242298126221],
  [1001, 1024, 1023, -0.349993497133255],
  [120, 128, 1, 0.8656128644943237],
  [120, 128, 60, 0.6496163010597229],
  [120, 128, 126, 0.4296658933162689],
])('of %i numbers made %i number %i is as torch has it', (from, to, index, expected) => {
  expect(Math.abs((stretch(wild(from), to)[index] ?? NaN) - expected)).toBeLessThan(1e-6)
})

test('ends stay where they are, and beyond them the last number goes on', () => {
  const stretched = stretch(Float32Array.of(1, 5, 2), 5)
  expect(stretched[0]).toBe(1)
  expect(stretched[2]).toBe(5)
  expect(stretched[4]).toBe(2)
  // −3⁄32, 19⁄32, 19⁄32, −3⁄32 of 1, 1, 5, 2
  expect(stretched[1]).toBeCloseTo((-3 * 1 + 19 * 1 + 19 * 5 - 3 * 2) / 32, 6)
})
