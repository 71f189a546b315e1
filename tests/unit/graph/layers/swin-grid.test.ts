import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { WindowedGrid } from '../../../../src/graph/layers/swin-grid.ts'
import {
  gridOrder,
  mergeOrder,
  placesIn,
  relativePlaces,
  windowOrder,
  windowRegions,
} from '../../../../src/graph/layers/swin-grid.ts'

/** Rolled by less than a window, as every model does. */
const grids: fc.Arbitrary<WindowedGrid> = fc
  .record({
    window: fc.integer({ min: 2, max: 4 }),
    windows: fc.integer({ min: 2, max: 4 }),
    drawn: fc.nat(),
  })
  .map(({ window, windows, drawn }) => ({ side: window * windows, window, shift: drawn % window }))

test('windows stand side by side, a token of each in turn', () => {
  expect([...windowOrder({ side: 4, window: 2, shift: 0 })]).toEqual([
    0, 2, 8, 10, 1, 3, 9, 11, 4, 6, 12, 14, 5, 7, 13, 15,
  ])
})

test('a rolled grid begins with its second row and column, and ends with its first', () => {
  const order = windowOrder({ side: 4, window: 2, shift: 1 })
  const windows = [0, 1, 2, 3].map((w) => [0, 1, 2, 3].map((l) => order[4 * l + w]))
  expect(windows).toEqual([
    [5, 6, 9, 10],
    [7, 4, 11, 8],
    [13, 14, 1, 2],
    [15, 12, 3, 0],
  ])
})

test('every token has one place in every order', () => {
  fc.assert(
    fc.property(grids, (grid) => {
      expect([...windowOrder(grid)].sort((a, b) => a - b)).toEqual([...gridOrder(grid.side)])
    }),
  )
})

test('four tokens become one: above and below each other, then their neighbours to the right', () => {
  expect([...mergeOrder(4)]).toEqual([0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15])
})

test('places lead from one order to another', () => {
  fc.assert(
    fc.property(grids, (grid) => {
      const [from, to] = [windowOrder({ ...grid, shift: 0 }), windowOrder(grid)]
      expect([...placesIn(from, to)].map((place) => from[place])).toEqual([...to])
    }),
  )
})

test('tokens of a window are of one region where they are neighbours in the grid as it was', () => {
  fc.assert(
    fc.property(grids, (grid) => {
      const { side, window } = grid
      const W = (side / window) ** 2
      const [order, regions] = [windowOrder(grid), windowRegions(grid)]
      for (let w = 0; w < W; w++) {
        for (let one = w; one < order.length; one += W) {
          for (let other = w; other < order.length; other += W) {
            const [a, b] = [order[one] ?? 0, order[other] ?? 0]
            const down = Math.abs(Math.floor(a / side) - Math.floor(b / side))
            const across = Math.abs((a % side) - (b % side))
            const areNeighbours = down < window && across < window
            expect(regions[one] === regions[other]).toBe(areNeighbours)
          }
        }
      }
    }),
  )
})

test('a row of the table is told by how far a key stands from its query, down and across', () => {
  // Of window 2: rows 0 to 2 of the table are those of a key one row below.
  expect([...relativePlaces(2)]).toEqual([4, 3, 1, 0, 5, 4, 2, 1, 7, 6, 4, 3, 8, 7, 5, 4])
})
