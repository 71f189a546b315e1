/** Tensors of the interpreter: every dtype's numbers in float64, which holds all of them exactly. */
import type { Dtype } from '../../src/graph/ir.ts'

export interface Tensor {
  readonly dtype: Dtype
  readonly dims: readonly number[]
  /** Row-major; booleans are 0 and 1. */
  readonly data: Float64Array
}

export function sizeOf(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1)
}

/** The last axis, along which rows run. */
export function widthOf({ dims }: Pick<Tensor, 'dims'>): number {
  return dims.at(-1) ?? 1
}

/** A number within bounds that the caller keeps. Of one kind of array only: others would make every loop slow. */
export function at(data: Float64Array, index: number): number {
  return data[index] as number
}

/** A size, or another item of a short list, that is there. */
export function sizeAt(list: readonly number[], index: number): number {
  return list[index] as number
}

/** `none`: all in float64, so that a graph's meaning in real numbers is seen. */
export type Rounding = 'declared' | 'none'

/** In place, to nearest with ties to even: what lies beyond a type's range becomes infinite. */
export function round(data: Float64Array, dtype: Dtype): Float64Array {
  if (dtype === 'f32') for (let i = 0; i < data.length; i++) data[i] = Math.fround(at(data, i))
  if (dtype === 'f16') for (let i = 0; i < data.length; i++) data[i] = Math.f16round(at(data, i))
  if (dtype === 'bf16') for (let i = 0; i < data.length; i++) data[i] = roundToBfloat(at(data, i))
  return data
}

const FLOAT = new Float32Array(1)
const BITS = new Uint32Array(FLOAT.buffer)

/** By way of float32, in which every kernel computes before it stores. */
export function roundToBfloat(value: number): number {
  if (Number.isNaN(value)) return value
  FLOAT[0] = value
  const bits = BITS[0] as number
  BITS[0] = bits + 0x7fff + ((bits >>> 16) & 1)
  BITS[0] &= 0xffff0000
  return FLOAT[0]
}
