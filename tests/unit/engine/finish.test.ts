import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cutVectors, splitScores } from '../../../src/engine/finish.ts'

describe('cutVectors', () => {
  test('whole vectors stay as they are', () => {
    const vectors = Float32Array.of(3, 4, 1, 2)
    expect(cutVectors(vectors, 2, 2, true)).toBe(vectors)
  })

  test('the first numbers of every vector are kept', () => {
    expect([...cutVectors(Float32Array.of(1, 2, 3, 4, 5, 6), 3, 2, false)]).toEqual([1, 2, 4, 5])
    expect([...cutVectors(Float32Array.of(1, 2, 3, 4, 5, 6), 3, 1, false)]).toEqual([1, 4])
  })

  test('cut vectors are made unit length again where asked', () => {
    const cut = cutVectors(Float32Array.of(3, 4, 9, 0, -2, 9), 3, 2, true)
    expect([...cut]).toEqual([...Float32Array.of(0.6, 0.8, 0, -1)])
  })

  test('a cut of nothing but zeros stays zero', () => {
    expect([...cutVectors(Float32Array.of(0, 0, 1), 3, 2, true)]).toEqual([0, 0])
  })

  test('any cut has unit length and points the same way', () => {
    const number = fc.float({ min: -100, max: 100, noNaN: true }).filter((value) => Math.abs(value) > 1e-3)
    const vectors = fc.array(fc.array(number, { minLength: 6, maxLength: 6 }), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(vectors, fc.integer({ min: 1, max: 5 }), (vectors, dimensions) => {
        const cut = cutVectors(Float32Array.from(vectors.flat()), 6, dimensions, true)
        expect(cut.length).toBe(vectors.length * dimensions)
        for (const [row, vector] of vectors.entries()) {
          const norm = Math.hypot(...vector.slice(0, dimensions))
          for (let d = 0; d < dimensions; d++) {
            expect(cut[row * dimensions + d]).toBeCloseTo((vector[d] as number) / norm, 5)
          }
        }
      }),
    )
  })
})

describe('splitScores', () => {
  test('scores and logits of one label are told apart', () => {
    const { scores, logits } = splitScores(Float32Array.of(0.5, 1, 0.25, 2), 1)
    expect([...scores]).toEqual([0.5, 0.25])
    expect([...logits]).toEqual([1, 2])
  })

  test('scores and logits of several labels stay in the order of rows and labels', () => {
    const { scores, logits } = splitScores(Float32Array.of(1, 2, 3, -1, -2, -3, 4, 5, 6, -4, -5, -6), 3)
    expect([...scores]).toEqual([1, 2, 3, 4, 5, 6])
    expect([...logits]).toEqual([-1, -2, -3, -4, -5, -6])
  })
})
