/** Random weights in a file, together with what a textbook knows them by. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type * as kernels from '../../../src/graph/tensor-table.ts'
import type { Matrix } from '../../../src/graph/matrix.ts'
import type { TensorRef } from '../../../src/model/spec.ts'
import type * as textbook from './textbook.ts'

export interface Drawn<Kernel, Textbook> {
  readonly tensors: Kernel
  readonly numbers: Textbook
}

export interface LinearOptions {
  readonly bias?: boolean
  readonly int8?: boolean
}

export interface NormOptions {
  readonly kind: 'layer' | 'rms'
  readonly bias?: boolean
  readonly plusOne?: boolean
}

export class WeightFile {
  readonly #file: string
  readonly #gap: number
  readonly #parts: Buffer[] = []
  readonly #random: () => number
  #length = 0

  /** `gap`: bytes between two tensors; 0 makes neighbours of those that are drawn one after the other. */
  constructor(folder: string, { seed, gap }: { readonly seed: number; readonly gap: number }) {
    this.#file = join(folder, `${seed}-${gap}.bin`)
    this.#gap = gap
    this.#random = mulberry32(seed)
  }

  async write(): Promise<void> {
    await writeFile(this.#file, Buffer.concat(this.#parts))
  }

  /** Numbers from −size to size. */
  floats(shape: readonly number[], size = 1): Drawn<TensorRef, number[]> {
    const data = Float32Array.from({ length: count(shape) }, () => size * (2 * this.#random() - 1))
    return { tensors: this.#append(data, shape, 'F32'), numbers: [...data] }
  }

  table(rows: number, columns: number): Drawn<Matrix, number[][]> {
    const { tensors, numbers } = this.floats([rows, columns])
    return { tensors: { values: tensors, scale: undefined }, numbers: split(numbers, columns) }
  }

  /** Layers that read the same input: all their weights, then all their biases. */
  linears(
    outs: readonly number[],
    inputs: number,
    { bias = true, int8 = false }: LinearOptions = {},
  ): Drawn<kernels.Linear, textbook.Linear>[] {
    const size = 1.5 / Math.sqrt(inputs)
    const weights = outs.map((out) => (int8 ? this.#codes(out, inputs) : this.floats([out, inputs], size)))
    const scales = outs.map((out) => (int8 ? this.floats([out, 1], size / 127) : undefined))
    const biases = outs.map((out) => (bias ? this.floats([out], 0.5) : undefined))
    return outs.map((_, index) => {
      const [weight, scale] = [weights[index], scales[index]]
      if (weight === undefined) throw new Error('a layer without weight')
      const rows = split(weight.numbers, inputs).map((row, out) =>
        row.map((number) => number * (scale?.numbers[out] ?? 1)),
      )
      return {
        tensors: {
          weight: { values: weight.tensors, scale: scale?.tensors },
          bias: biases[index]?.tensors,
        },
        numbers: { weight: rows, bias: biases[index]?.numbers },
      }
    })
  }

  linear(out: number, inputs: number, options?: LinearOptions): Drawn<kernels.Linear, textbook.Linear> {
    return this.linears([out], inputs, options)[0] as Drawn<kernels.Linear, textbook.Linear>
  }

  norm(
    width: number,
    { kind, bias = false, plusOne = false }: NormOptions,
  ): Drawn<kernels.Norm, textbook.Norm> {
    const weight = this.floats([width])
    const shift = bias ? this.floats([width]) : undefined
    const facts = { kind, epsilon: 1e-3, plusOne }
    return {
      tensors: { ...facts, weight: weight.tensors, bias: shift?.tensors },
      numbers: { ...facts, weight: weight.numbers, bias: shift?.numbers },
    }
  }

  #codes(rows: number, columns: number): Drawn<TensorRef, number[]> {
    const data = Int8Array.from({ length: rows * columns }, () => Math.floor(256 * this.#random()) - 128)
    return { tensors: this.#append(data, [rows, columns], 'I8'), numbers: [...data] }
  }

  #append(data: Float32Array | Int8Array, shape: readonly number[], dtype: 'F32' | 'I8'): TensorRef {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    const ref = { file: this.#file, byteOffset: this.#length, byteLength: bytes.length, dtype, shape }
    // Floats stand at multiples of their size, as safetensors writes them.
    const rest = this.#gap + ((4 - (bytes.length % 4)) % 4)
    this.#parts.push(bytes, Buffer.alloc(rest, 77))
    this.#length += bytes.length + rest
    return ref
  }
}

function count(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1)
}

function split(numbers: readonly number[], columns: number): number[][] {
  return Array.from({ length: numbers.length / columns }, (_, row) =>
    numbers.slice(row * columns, (row + 1) * columns),
  )
}

/** Tommy Ettinger's generator: 32 bits of state, numbers from 0 to 1. */
function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
