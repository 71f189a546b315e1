/** Linear layers in 8 bits, made of a weight in any precision: the weight is read as often as needed, and never held whole. */
import type { Int8Recipe } from '../../graph/ir.ts'
import { inputKey, int8Shape } from '../../graph/int8-recipe.ts'
import { WeightMaker } from '../weights/make-weight.ts'

/** Greatest magnitude of each column of a layer's input, by `inputKey`. */
export type Maxima = ReadonlyMap<string, Float32Array>

/** Numbers below it are noise; a column without any is not to become infinite. */
const LEAST = 1e-5
/** Steps up and down from the middle of unsigned codes. */
const HALF = 127
/**
 * The first of two codes covers so many times what calibration saw: beyond it inputs would be cut. The second code divides
 * its step by twice `HALF`, so that 14 bits are left for inputs as calibration saw them.
 */
const MARGIN = 4

export class CodeMaker {
  readonly #weights = new WeightMaker()
  readonly #maxima: Maxima
  readonly #greatestCode: number
  #last: { readonly key: string; readonly smoothing: Float32Array; readonly scales: Float32Array } | undefined

  /** `greatestCode`: of weights, 127 or what the processor's kernels can add up. */
  constructor(maxima: Maxima, greatestCode: number) {
    this.#maxima = maxima
    this.#greatestCode = greatestCode
  }

  /** Holds the codes of one layer, one byte a number, because they lie column by column. Throws `load_failed`. */
  make(recipe: Int8Recipe): Uint8Array {
    switch (recipe.makes) {
      case 'codes':
        return this.#makeCodes(recipe)
      case 'scales':
        return bytesOf(this.#factorsOf(recipe).scales)
      case 'reciprocals':
        return bytesOf(this.#factorsOf(recipe).smoothing.map((factor) => 1 / factor))
      case 'coarse':
        return bytesOf(Float32Array.of(this.#coarseStep(recipe)))
      case 'fine':
        return bytesOf(Float32Array.of(this.#coarseStep(recipe) / (2 * HALF)))
      default:
        return recipe.makes satisfies never
    }
  }

  close(): void {
    this.#weights.close()
  }

  #makeCodes(recipe: Int8Recipe): Uint8Array {
    const [K, N] = int8Shape(recipe) as readonly [number, number]
    const { smoothing, scales } = this.#factorsOf(recipe)
    const codes = new Int8Array(K * N)
    this.#eachBlock(recipe, (numbers, from) => {
      let row = Math.floor(from / K)
      let column = from % K
      for (const number of numbers) {
        const code = (number * (smoothing[column] as number)) / (scales[row] as number)
        codes[column * N + row] = Math.round(code)
        if (++column === K) {
          column = 0
          row++
        }
      }
    })
    return new Uint8Array(codes.buffer)
  }

  /** Of the layer asked for last, since its parts are asked for one after the other. */
  #factorsOf(recipe: Int8Recipe) {
    const { weights, smoothing: exponent } = recipe
    const key = `${inputKey(weights)} ${exponent}`
    if (this.#last?.key !== key) {
      const smoothing = this.#smoothingOf(recipe)
      this.#last = { key, smoothing, scales: this.#scalesOf(recipe, smoothing) }
    }
    return this.#last
  }

  #smoothingOf(recipe: Int8Recipe): Float32Array {
    const { weights, smoothing } = recipe
    const [K] = int8Shape({ ...recipe, makes: 'reciprocals' }) as readonly [number]
    const factors = new Float32Array(K).fill(1)
    if (smoothing === undefined) return factors
    const inputs = this.#maximaOf(weights)
    const greatest = new Float32Array(K)
    this.#eachBlock(recipe, (numbers, from) => {
      let column = from % K
      for (const number of numbers) {
        greatest[column] = Math.max(greatest[column] as number, Math.abs(number))
        if (++column === K) column = 0
      }
    })
    return factors.map((_, column) => {
      const [input, weight] = [inputs, greatest].map((of) => Math.max(of[column] as number, LEAST))
      return (input as number) ** smoothing / (weight as number) ** (1 - smoothing)
    })
  }

  #scalesOf(recipe: Int8Recipe, smoothing: Float32Array): Float32Array {
    const [N] = int8Shape({ ...recipe, makes: 'scales' }) as readonly [number]
    const K = smoothing.length
    const greatest = new Float32Array(N)
    this.#eachBlock(recipe, (numbers, from) => {
      let row = Math.floor(from / K)
      let column = from % K
      for (const number of numbers) {
        const magnitude = Math.abs(number * (smoothing[column] as number))
        if (magnitude > (greatest[row] as number)) greatest[row] = magnitude
        if (++column === K) {
          column = 0
          row++
        }
      }
    })
    // A row of zeros has codes of zeros, whatever its scale.
    return greatest.map((magnitude) => magnitude / this.#greatestCode || 1)
  }

  #coarseStep({ weights }: Int8Recipe): number {
    const greatest = this.#maximaOf(weights).reduce((most, value) => Math.max(most, value), LEAST)
    return (greatest * MARGIN) / HALF
  }

  #maximaOf(weights: Int8Recipe['weights']): Float32Array {
    const key = inputKey(weights)
    const found = this.#maxima.get(key)
    if (found === undefined) throw new Error(`calibration has not seen the input of ${key}`)
    return found
  }

  /** The weight's numbers row by row, as float32; `from`: the place of a block's first one. */
  #eachBlock({ weights }: Int8Recipe, visit: (numbers: Float32Array, from: number) => void): void {
    let from = 0
    this.#weights.make({ dtype: 'f32', parts: weights }, ({ buffer, byteOffset, byteLength }) => {
      const numbers = new Float32Array(buffer, byteOffset, byteLength / 4)
      visit(numbers, from)
      from += numbers.length
    })
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}
