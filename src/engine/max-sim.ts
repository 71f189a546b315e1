/** How well each vector of a query finds one like it in a document, without leaving the thread for long. */
import type { TokenRules } from '../model/spec.ts'

/** Products of numbers that are made at a time: a quarter of a millisecond. */
const PRODUCTS_AT_A_TIME = 262_144

/** Vectors of a document that are compared side by side. */
const ABREAST = 4

/** Of a document none of whose tokens has a vector: below every other (sentence-transformers 6.2, maxsim). */
const NOTHING = -1e9

/** One query against any number of documents. Numbers are float64 here: converting them once is faster than in each product. */
export class MaxSim {
  readonly #query: Float64Array
  readonly #count: number
  readonly #width: number
  readonly #isMean: boolean
  /** Numbers of a document that are compared at a time. */
  readonly #blockSize: number

  /** `query`: [count, width]. */
  constructor(query: Float32Array, width: number, similarity: TokenRules['similarity']) {
    this.#width = width
    this.#count = query.length / width
    this.#isMean = similarity === 'mean'
    // Two are compared at a time: the last of an odd number has a partner that does not count.
    this.#query = new Float64Array((this.#count + (this.#count % 2)) * width)
    this.#query.set(query)
    const fitting = Math.floor(PRODUCTS_AT_A_TIME / Math.max(1, query.length) / ABREAST)
    this.#blockSize = ABREAST * Math.max(1, fitting) * width
  }

  /** The score of a document [tokens, width]; yields between parts of the work, so that the caller may let others run. */
  *score(document: Float32Array): Generator<undefined, number> {
    if (document.length === 0) return this.#finish(NOTHING)
    const greatest = new Float64Array(this.#query.length / this.#width).fill(-Infinity)
    const step = ABREAST * this.#width
    const block = new Float64Array(Math.min(this.#blockSize, Math.ceil(document.length / step) * step))
    for (let from = 0; from < document.length; from += block.length) {
      this.#compare(document.subarray(from, from + block.length), block, greatest)
      yield
    }
    let sum = 0
    for (let i = 0; i < this.#count; i++) sum += greatest[i] as number
    return this.#finish(sum)
  }

  #finish(sum: number): number {
    return this.#isMean ? sum / Math.max(1, this.#count) : sum
  }

  #compare(part: Float32Array, block: Float64Array, greatest: Float64Array): void {
    const width = this.#width
    const query = this.#query
    block.set(part)
    // What is left of the last four is the first of them once more, which changes no maximum.
    const step = ABREAST * width
    const end = Math.ceil(part.length / step) * step
    for (let at = part.length; at < end; at += width) block.copyWithin(at, end - step, end - step + width)
    for (let first = 0; first < end; first += step) {
      for (let i = 0; i < greatest.length; i += 2) {
        compareFour({ block, query, width, greatest }, first, i)
      }
    }
  }
}

interface Compared {
  readonly block: Float64Array
  readonly query: Float64Array
  readonly width: number
  readonly greatest: Float64Array
}

/** Two vectors of the query with four of the document: each number that is read serves several products. */
function compareFour({ block, query, width, greatest }: Compared, first: number, i: number): void {
  const [second, third, fourth] = [first + width, first + 2 * width, first + 3 * width]
  const p = i * width
  const r = p + width
  let [a0, a1, a2, a3, b0, b1, b2, b3] = [0, 0, 0, 0, 0, 0, 0, 0]
  for (let d = 0; d < width; d++) {
    const g = query[p + d] as number
    const h = query[r + d] as number
    const u = block[first + d] as number
    const v = block[second + d] as number
    const w = block[third + d] as number
    const x = block[fourth + d] as number
    a0 += g * u
    a1 += g * v
    a2 += g * w
    a3 += g * x
    b0 += h * u
    b1 += h * v
    b2 += h * w
    b3 += h * x
  }
  greatest[i] = Math.max(greatest[i] as number, a0, a1, a2, a3)
  greatest[i + 1] = Math.max(greatest[i + 1] as number, b0, b1, b2, b3)
}
