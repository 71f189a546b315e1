import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MaxSim } from '../../../src/engine/max-sim.ts'

/** By the definition: the sum, over the vectors of a query, of the greatest product with any of the document. */
function textbook(query: Float32Array, document: Float32Array, width: number): number {
  let sum = 0
  for (let i = 0; i < query.length; i += width) {
    let greatest = -Infinity
    for (let t = 0; t < document.length; t += width) {
      let product = 0
      for (let d = 0; d < width; d++) product += (query[i + d] as number) * (document[t + d] as number)
      greatest = Math.max(greatest, product)
    }
    sum += greatest
  }
  return sum
}

function scoreOf(query: MaxSim, document: Float32Array) {
  const scoring = query.score(document)
  let parts = 0
  let step = scoring.next()
  for (; step.done !== true; step = scoring.next()) parts++
  return { score: step.value, parts }
}

function vectors(count: number, width: number, seed: number): Float32Array {
  // negative products too, and no two alike
  return Float32Array.from({ length: count * width }, (_, i) => Math.sin(seed + 1.7 * i) - 0.4)
}

test('a score is the textbook’s, of any number of vectors and numbers', () => {
  const size = fc.integer({ min: 1, max: 9 })
  fc.assert(
    fc.property(size, size, size, fc.nat({ max: 100 }), (queryCount, count, width, seed) => {
      const query = vectors(queryCount, width, seed)
      const document = vectors(count, width, seed + 7)
      const expected = textbook(query, document, width)
      expect(scoreOf(new MaxSim(query, width, 'sum'), document).score).toBeCloseTo(expected, 9)
      const mean = scoreOf(new MaxSim(query, width, 'mean'), document).score
      expect(mean).toBeCloseTo(expected / queryCount, 9)
    }),
  )
})

test('a score may be below zero: no padding takes part in it', () => {
  const query = new MaxSim(Float32Array.of(1, 0), 2, 'sum')
  expect(scoreOf(query, Float32Array.of(-2, 5)).score).toBe(-2)
  expect(scoreOf(query, Float32Array.of(-2, 5, -3, 1, -4, 0)).score).toBe(-2)
})

test('one query scores documents of any lengths, one after the other', () => {
  const query = vectors(5, 8, 1)
  const judge = new MaxSim(query, 8, 'sum')
  for (const count of [70, 3, 1, 64]) {
    const document = vectors(count, 8, count)
    expect(scoreOf(judge, document).score).toBeCloseTo(textbook(query, document, 8), 9)
  }
})

test('a long document is scored in parts, and the parts together are the whole', () => {
  const [query, document] = [vectors(32, 128, 1), vectors(301, 128, 2)]
  const { score, parts } = scoreOf(new MaxSim(query, 128, 'sum'), document)
  // 64 vectors of the document at a time
  expect(parts).toBe(5)
  expect(score).toBeCloseTo(textbook(query, document, 128), 6)
  expect(scoreOf(new MaxSim(vectors(4096, 128, 1), 128, 'sum'), document).parts).toBe(76)
})

test('a document without vectors is below all others; a query without any is 0', () => {
  const none = new Float32Array()
  expect(scoreOf(new MaxSim(Float32Array.of(1, 2, 3, 4), 2, 'sum'), none).score).toBe(-1e9)
  expect(scoreOf(new MaxSim(Float32Array.of(1, 2, 3, 4), 2, 'mean'), none).score).toBe(-5e8)
  expect(scoreOf(new MaxSim(none, 2, 'mean'), Float32Array.of(1, 2)).score).toBe(0)
})
