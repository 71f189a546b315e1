/** Numbers of a weight: from the model's files, or from the graph itself. */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import type { Dtype, Initializer, WeightRecipe } from '../../src/graph/ir.ts'
import type { Matrix } from '../../src/graph/matrix.ts'
import type { TensorDtype, TensorRef } from '../../src/model/spec.ts'
import type { Rounding, Tensor } from './tensor.ts'
import { at, round, sizeOf } from './tensor.ts'

const DTYPES: Readonly<Record<Exclude<TensorDtype, 'F8_E4M3'>, Dtype>> = {
  F32: 'f32',
  F16: 'f16',
  BF16: 'bf16',
  I8: 'i8',
}

/** `rounding`: of weights that are made for the graph. Those of files are what they are. */
export function readInitializer({ value, source }: Initializer, rounding: Rounding): Tensor {
  const dims = value.shape.map(Number)
  const data = numbersOf(source, value.dtype)
  if (rounding === 'declared') round(data, value.dtype)
  if (data.length !== sizeOf(dims))
    throw new Error(`${value.name} [${dims.join()}] has ${data.length} numbers`)
  return { dtype: value.dtype, dims, data }
}

function numbersOf(source: Initializer['source'], dtype: Dtype): Float64Array {
  if (source instanceof Uint8Array) return decode(source, dtype)
  if ('makes' in source) throw new Error('codes are made by calibration, and read once they are in a file')
  return 'parts' in source ? carryOut(source) : readTensor(source)
}

/** Each number of the result is looked up by its place: slow, and unlike the code that makes the files. */
function carryOut({ parts, turnRows, plusOne }: WeightRecipe): Float64Array {
  const matrices = parts.map(readMatrix)
  const shapes = parts.map(({ values }) => values.shape)
  const width = sizeOf(shapes[0]?.slice(1) ?? [])
  const rows = shapes.map(([count = 1]) => count)
  const places = turnRows === undefined ? joinedRows(rows) : turningRows(rows, turnRows)
  const data = new Float64Array(places.length * width)
  for (const [row, place] of places.entries()) {
    const matrix = matrices[place.part] as Float64Array
    for (let i = 0; i < width; i++)
      data[row * width + i] = at(matrix, place.row * width + i) + (plusOne ? 1 : 0)
  }
  return data
}

interface Place {
  readonly part: number
  readonly row: number
}

function joinedRows(rows: readonly number[]): Place[] {
  return rows.flatMap((count, part) => Array.from({ length: count }, (_, row) => ({ part, row })))
}

/** `step` rows of the first part, as many of the next, and so on until all are taken. */
function turningRows(rows: readonly number[], step: number): Place[] {
  const total = rows.reduce((sum, count) => sum + count, 0)
  return Array.from({ length: total }, (_, row) => {
    const turn = Math.floor(row / step)
    const part = turn % rows.length
    return { part, row: Math.floor(turn / rows.length) * step + (row % step) }
  })
}

/** With a scale, codes times the one of their row or block, in float32 as the reference computes it. */
function readMatrix({ values, scale, blocks }: Matrix): Float64Array {
  const numbers = readTensor(values)
  if (scale === undefined) return numbers
  const scales = readTensor(scale)
  const width = values.shape[1] as number
  const { rows, columns, rowsAbove } = blocks ?? { rows: 1, columns: width, rowsAbove: 0 }
  const beside = Math.ceil(width / columns)
  return numbers.map((code, i) => {
    const [row, column] = [Math.floor(i / width) + rowsAbove, i % width]
    return Math.fround(code * at(scales, Math.floor(row / rows) * beside + Math.floor(column / columns)))
  })
}

function readTensor(ref: TensorRef): Float64Array {
  const bytes = readBytes(ref)
  return ref.dtype === 'F8_E4M3' ? Float64Array.from(bytes, fromFp8) : decode(bytes, DTYPES[ref.dtype])
}

/** The bits of a float16 are those of fp8, moved: of its 5 bits of an exponent, with a bias of 15, fp8 has 4 with one of 7. */
function fromFp8(code: number): number {
  if ((code & 127) === 127) return NaN
  const half = new Float16Array(Uint16Array.of(((code & 128) << 8) | ((code & 127) << 7)).buffer)
  return (half[0] as number) * 2 ** 8
}

function readBytes(ref: TensorRef): Uint8Array {
  if (ref.strides !== undefined) return readStrides(ref, ref.strides)
  const { file, byteOffset, byteLength } = ref
  const bytes = new Uint8Array(byteLength)
  const handle = openSync(file, 'r')
  try {
    readSync(handle, bytes, 0, byteLength, byteOffset)
  } finally {
    closeSync(handle)
  }
  return bytes
}

/** Each number by itself, from where its place along the axes leads. */
function readStrides(
  { file, byteOffset, byteLength, shape }: TensorRef,
  strides: readonly number[],
): Uint8Array {
  let places = [0]
  for (const [axis, size] of shape.entries())
    places = places.flatMap((place) =>
      Array.from({ length: size }, (_, i) => place + i * (strides[axis] as number)),
    )
  const size = byteLength / places.length
  const whole = readFileSync(file)
  const start = (place: number) => byteOffset + place * size
  return new Uint8Array(
    Buffer.concat(places.map((place) => whole.subarray(start(place), start(place) + size))),
  )
}

/** Little-endian numbers of a dtype. */
export function decode(bytes: Uint8Array, dtype: Dtype): Float64Array {
  const { buffer } = bytes.slice()
  switch (dtype) {
    case 'f32':
      return Float64Array.from(new Float32Array(buffer))
    case 'f16':
      return Float64Array.from(new Float16Array(buffer))
    case 'bf16':
      // The upper half of a float32.
      return Float64Array.from(
        new Float32Array(Uint32Array.from(new Uint16Array(buffer), (bits) => bits << 16).buffer),
      )
    case 'u8':
      return Float64Array.from(new Uint8Array(buffer))
    case 'i8':
      return Float64Array.from(new Int8Array(buffer))
    case 'i32':
      return Float64Array.from(new Int32Array(buffer))
    case 'i64':
      return Float64Array.from(new BigInt64Array(buffer), Number)
    case 'bool':
      return Float64Array.from(new Uint8Array(buffer))
    default:
      return dtype satisfies never
  }
}
