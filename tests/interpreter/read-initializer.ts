/** Numbers of a weight: from the model's files, or from the graph itself. */
import { closeSync, openSync, readSync } from 'node:fs'
import type { Dtype, Initializer, WeightRecipe } from '../../src/graph/ir.ts'
import type { Matrix } from '../../src/graph/matrix.ts'
import type { TensorDtype, TensorRef } from '../../src/model/spec.ts'
import type { Rounding, Tensor } from './tensor.ts'
import { at, round, sizeOf } from './tensor.ts'

const DTYPES: Readonly<Record<TensorDtype, Dtype>> = { F32: 'f32', F16: 'f16', BF16: 'bf16', I8: 'i8' }

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

/** With a scale, codes times the one of their row, in float32 as the reference computes it. */
function readMatrix({ values, scale }: Matrix): Float64Array {
  const numbers = readTensor(values)
  if (scale === undefined) return numbers
  const scales = readTensor(scale)
  const width = numbers.length / scales.length
  return numbers.map((code, i) => Math.fround(code * at(scales, Math.floor(i / width))))
}

function readTensor(ref: TensorRef): Float64Array {
  return decode(readBytes(ref), DTYPES[ref.dtype])
}

function readBytes({ file, byteOffset, byteLength }: TensorRef): Uint8Array {
  const bytes = new Uint8Array(byteLength)
  const handle = openSync(file, 'r')
  try {
    readSync(handle, bytes, 0, byteLength, byteOffset)
  } finally {
    closeSync(handle)
  }
  return bytes
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
