import { expect, test } from 'vitest'
import type { PatchGrid } from '../../../src/media/patch-places.ts'
import { patchPlaces } from '../../../src/media/patch-places.ts'

const grid = (rows: number, columns = rows): PatchGrid => ({ rows, columns })

/** Of one patch the places that it lies on, and their weights. */
function placesOf(weights: Float32Array, patch: number, places: number): [place: number, weight: number][] {
  const line = [...weights.subarray(patch * places, (patch + 1) * places)]
  return line.flatMap((weight, place) => (weight === 0 ? [] : [[place, weight] as [number, number]]))
}

test('a picture of as many patches as there are places has each place to itself', () => {
  const weights = patchPlaces(grid(3), grid(3))
  expect(weights.buffer).toBeInstanceOf(SharedArrayBuffer)
  expect([...weights]).toEqual(
    Array.from({ length: 81 }, (_, index) => (Math.floor(index / 9) === index % 9 ? 1 : 0)),
  )
})

test('the places of a coarser picture are averaged, the nearer the more', () => {
  // Centres of two patches on four places: 1 and 3. A place is as far as its own centre: 0.5, 1.5, 2.5, 3.5.
  const weights = patchPlaces(grid(1, 2), grid(1, 4))
  const raw = [0.75, 0.75, 0.25]
  const sum = 1.75
  expect(placesOf(weights, 0, 4)).toEqual(raw.map((weight, place) => [place, Math.fround(weight / sum)]))
  const mirrored = raw.map((weight, place) => [3 - place, Math.fround(weight / sum)]).toReversed()
  expect(placesOf(weights, 1, 4)).toEqual(mirrored)
})

test('a finer picture has patches between two places, and none beyond the ends', () => {
  const weights = patchPlaces(grid(4, 1), grid(2, 1))
  expect([0, 1, 2, 3].map((patch) => placesOf(weights, patch, 2))).toEqual([
    [[0, 1]],
    [
      [0, 0.75],
      [1, 0.25],
    ],
    [
      [0, 0.25],
      [1, 0.75],
    ],
    [[1, 1]],
  ])
})

test('patches and places are counted line by line, and lines and columns have weights of their own', () => {
  const weights = patchPlaces(grid(2, 3), grid(2, 6))
  const across = patchPlaces(grid(1, 3), grid(1, 6))
  for (const [line, first] of [0, 6].entries())
    for (let column = 0; column < 3; column++) {
      const expected = placesOf(across, column, 6).map(([place, weight]) => [first + place, weight])
      expect(placesOf(weights, line * 3 + column, 12)).toEqual(expected)
    }
})

test.each([
  [1, 1, 16],
  [1, 256, 16],
  [37, 6, 16],
  [5, 7, 3],
])('%i × %i patches share out all of themselves over a grid of %i', (rows, columns, side) => {
  const weights = patchPlaces(grid(rows, columns), grid(side))
  expect(weights).toHaveLength(rows * columns * side ** 2)
  for (let patch = 0; patch < rows * columns; patch++) {
    const places = placesOf(weights, patch, side ** 2)
    expect(places.reduce((sum, [, weight]) => sum + weight, 0)).toBeCloseTo(1, 6)
    expect(Math.min(...places.map(([, weight]) => weight))).toBeGreaterThan(0)
  }
})
