import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { finishVectors, splitScores } from '../../../src/engine/finish.ts'

describe('finishVectors', () => {
  const whole = { rowWidth: 2, vectorWidth: 2, dimensions: 2, norm: 'kept' } as const

  test('rows that are what was asked for are not copied', () => {
    const rows = Float32Array.of(3, 4, 1, 2)
    expect(finishVectors(rows, whole)).toBe(rows)
  })

  test('the first numbers of every row are kept as they are', () => {
    const rows = Float32Array.of(1, 2, 3, 4, 5, 6)
    const plan = { ...whole, rowWidth: 3, vectorWidth: 3 }
    expect([...finishVectors(rows, plan)]).toEqual([1, 2, 4, 5])
    expect([...finishVectors(rows, { ...plan, dimensions: 1 })]).toEqual([1, 4])
    expect([...rows]).toEqual([1, 2, 3, 4, 5, 6])
  })

  test('a norm that stands last is left out, or given back', () => {
    const rows = Float32Array.of(0.5, 0.25, 4, 1, 0, 3)
    const plan = { ...whole, rowWidth: 3 }
    expect([...finishVectors(rows, plan)]).toEqual([0.5, 0.25, 1, 0])
    expect([...finishVectors(rows, { ...plan, norm: 'restored' })]).toEqual([2, 1, 3, 0])
    expect([...finishVectors(rows, { ...plan, dimensions: 1, norm: 'restored' })]).toEqual([2, 3])
  })

  test('what is kept is made norm 1 where asked, the whole vector too', () => {
    const rows = Float32Array.of(3, 4, 9, 0, -2, 9)
    const plan = { ...whole, rowWidth: 3, norm: 'unit' } as const
    expect([...finishVectors(rows, plan)]).toEqual([...Float32Array.of(0.6, 0.8, 0, -1)])
    expect([...finishVectors(Float32Array.of(0, 3, 4), { ...plan, vectorWidth: 3, dimensions: 3 })]).toEqual([
      ...Float32Array.of(0, 0.6, 0.8),
    ])
  })

  test('nothing but zeros stays zeros, and next to nothing does not grow past 1e12 times', () => {
    const plan = { ...whole, rowWidth: 3, norm: 'unit' } as const
    expect([...finishVectors(Float32Array.of(0, 0, 1), plan)]).toEqual([0, 0])
    expect(finishVectors(Float32Array.of(1e-20, 0, 1), plan)[0]).toBeCloseTo(1e-8, 12)
    expect([...finishVectors(new Float32Array(3), { ...plan, norm: 'restored' })]).toEqual([0, 0])
  })

  test('any cut has norm 1 and points the same way', () => {
    const number = fc.float({ min: -100, max: 100, noNaN: true }).filter((value) => Math.abs(value) > 1e-3)
    const vectors = fc.array(fc.array(number, { minLength: 6, maxLength: 6 }), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(vectors, fc.integer({ min: 1, max: 6 }), (vectors, dimensions) => {
        const plan = { rowWidth: 6, vectorWidth: 6, dimensions, norm: 'unit' } as const
        const cut = finishVectors(Float32Array.from(vectors.flat()), plan)
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
