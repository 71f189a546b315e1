import type { Axis, AxisWeights, Resample } from './resample-weights.ts'
import { SLACK, openLoops } from './resample-kernel.ts'
import { findNearest, weighAxis } from './resample-weights.ts'

/** Eight bits a channel, red, green and blue interleaved, rows from the top. */
export interface Picture {
  readonly width: number
  readonly height: number
  /** [height, width, 3] */
  readonly pixels: Uint8Array
}

/** The part of a resized picture that is wanted. */
export interface Window {
  readonly width: Pick<Axis, 'outputSize' | 'first' | 'count'>
  readonly height: Pick<Axis, 'outputSize' | 'first' | 'count'>
}

const CHANNELS = 3

/** A part of a picture, where it stands in it. */
interface View {
  readonly pixels: Uint8Array
  /** Of its first number. */
  readonly offset: number
  /** From a row to the next. */
  readonly rowBytes: number
  readonly width: number
  readonly height: number
}

/**
 * What Pillow's `Image.resize` gives, to the last bit, cut to `window`: no other place is computed. One axis after the other,
 * each rounded to eight bits; an axis that keeps its size is left alone.
 */
export function resample(picture: Picture, window: Window, filter: Resample): Picture {
  const across: Axis = { inputSize: picture.width, ...window.width }
  const down: Axis = { inputSize: picture.height, ...window.height }
  if (filter === 'nearest') return pickNearest(picture, across, down)
  const columns = planAxis(across, filter)
  const rows = planAxis(down, filter)
  const part = viewPart(picture, columns, rows)
  if (columns.weights === undefined) {
    return rows.weights === undefined ? copyView(part) : squeezeColumns(part, rows.weights)
  }
  if (rows.weights === undefined) return squeezeRows(part, columns.weights)
  return isDownFirst(across, down)
    ? squeezeRows(viewAll(squeezeColumns(part, rows.weights)), columns.weights)
    : squeezeColumns(viewAll(squeezeRows(part, columns.weights)), rows.weights)
}

/** Pillow 13's rule; up to 12, rows came first always. Found by trying: the two orders differ in last bits. */
function isDownFirst(across: Axis, down: Axis): boolean {
  const fewerRows = down.inputSize - down.outputSize
  const fewerColumns = across.inputSize - across.outputSize
  return fewerRows > 0 && fewerRows > 2 * fewerColumns
}

/** What of the input is read, and how much each place of it counts from there on. */
interface AxisPlan {
  readonly first: number
  readonly count: number
  /** Undefined: the axis keeps its size. */
  readonly weights: AxisWeights | undefined
}

function planAxis(axis: Axis, filter: Exclude<Resample, 'nearest'>): AxisPlan {
  if (axis.inputSize === axis.outputSize) return { first: axis.first, count: axis.count, weights: undefined }
  const weights = weighAxis(axis, filter)
  const last = axis.count - 1
  const first = weights.starts[0] as number
  const end = (weights.starts[last] as number) + (weights.counts[last] as number)
  return {
    first,
    count: end - first,
    weights: { ...weights, starts: weights.starts.map((start) => start - first) },
  }
}

function viewPart({ pixels, width }: Picture, columns: AxisPlan, rows: AxisPlan): View {
  const offset = (rows.first * width + columns.first) * CHANNELS
  return { pixels, offset, rowBytes: width * CHANNELS, width: columns.count, height: rows.count }
}

function viewAll({ pixels, width, height }: Picture): View {
  return { pixels, offset: 0, rowBytes: width * CHANNELS, width, height }
}

function copyView({ pixels, offset, rowBytes, width, height }: View): Picture {
  const length = width * CHANNELS
  const output = new Uint8Array(height * length)
  for (let row = 0; row < height; row++) {
    const from = offset + row * rowBytes
    output.set(pixels.subarray(from, from + length), row * length)
  }
  return { width, height, pixels: output }
}

/** A picture is resized at once: nobody else is in this memory meanwhile. */
const loops = openLoops()

function squeezeRows({ pixels, offset, rowBytes, width, height }: View, columns: AxisWeights): Picture {
  const places = columns.starts.length
  const records = toRecords(columns)
  const length = places * CHANNELS
  const input = records.byteLength
  const target = input + width * CHANNELS + SLACK
  const memory = reserve(target + length + SLACK)
  memory.set(new Uint8Array(records.buffer))
  const output = new Uint8Array(height * length)
  for (let row = 0; row < height; row++) {
    const start = offset + row * rowBytes
    memory.set(pixels.subarray(start, start + width * CHANNELS), input)
    loops.squeezeRow(input, target, 0, places)
    output.set(memory.subarray(target, target + length), row * length)
  }
  return { width: places, height, pixels: output }
}

/** For each place its first byte, how many weights, and these. */
function toRecords({ starts, counts, weights, stride }: AxisWeights): Int32Array<ArrayBuffer> {
  const records = new Int32Array(counts.reduce((sum, count) => sum + count, 2 * counts.length))
  let to = 0
  for (let place = 0; place < starts.length; place++) {
    const count = counts[place] as number
    records[to] = (starts[place] as number) * CHANNELS
    records[to + 1] = count
    records.set(weights.subarray(place * stride, place * stride + count), to + 2)
    to += 2 + count
  }
  return records
}

function squeezeColumns({ pixels, offset, rowBytes, width }: View, rows: AxisWeights): Picture {
  const height = rows.starts.length
  const length = width * CHANNELS
  const padded = Math.ceil(length / SLACK) * SLACK
  const input = rows.stride * Int32Array.BYTES_PER_ELEMENT
  const target = input + rows.stride * padded
  const memory = reserve(target + padded)
  const scales = new Int32Array(memory.buffer, 0, rows.stride)
  const output = new Uint8Array(height * length)
  for (let place = 0; place < height; place++) {
    const count = rows.counts[place] as number
    const first = offset + (rows.starts[place] as number) * rowBytes
    for (let tap = 0; tap < count; tap++) {
      const from = first + tap * rowBytes
      memory.set(pixels.subarray(from, from + length), input + tap * padded)
    }
    scales.set(rows.weights.subarray(place * rows.stride, place * rows.stride + count))
    loops.addRows(input, padded, target, 0, count)
    output.set(memory.subarray(target, target + length), place * length)
  }
  return { width, height, pixels: output }
}

const PAGE_BYTES = 65_536

/** So much of the loops' memory. Of the largest picture it is a few rows. */
function reserve(byteLength: number): Uint8Array<ArrayBuffer> {
  const { memory } = loops
  const missing = byteLength - memory.buffer.byteLength
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES))
  return new Uint8Array(memory.buffer)
}

function pickNearest({ pixels, width }: Picture, across: Axis, down: Axis): Picture {
  const columns = findNearest(across)
  const rows = findNearest(down)
  const output = new Uint8Array(columns.length * rows.length * CHANNELS)
  let to = 0
  for (const row of rows) {
    for (const column of columns) {
      const from = (row * width + column) * CHANNELS
      output[to++] = pixels[from] as number
      output[to++] = pixels[from + 1] as number
      output[to++] = pixels[from + 2] as number
    }
  }
  return { width: columns.length, height: rows.length, pixels: output }
}
