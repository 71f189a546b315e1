import type { BitReader } from './bit-reader.ts'
import { invalidSound } from './collect-sound.ts'

/** Predictors of the orders 0 to 4: each sample from those before it, the nearest first. */
const FIXED_COEFFICIENTS: readonly (readonly number[])[] = [[], [1], [2, -1], [3, -3, 1], [4, -6, 4, -1]]

/** RFC 9639, 9.2: the samples of one channel of a frame, of so many bits, as whole numbers. */
export function readSubframe(reader: BitReader, length: number, bits: number): Float64Array {
  if (reader.read(1) !== 0) throw damaged()
  const type = reader.read(6)
  const wasted = reader.read(1) === 1 ? reader.readZeros() + 1 : 0
  if (wasted >= bits) throw damaged()
  const samples = readSamples(reader, { type, length, bits: bits - wasted })
  if (wasted > 0)
    for (let index = 0; index < length; index += 1) samples[index] = (samples[index] as number) * 2 ** wasted
  return samples
}

interface Subframe {
  readonly type: number
  readonly length: number
  readonly bits: number
}

function readSamples(reader: BitReader, { type, length, bits }: Subframe): Float64Array {
  const samples = new Float64Array(length)
  if (type === 0) return samples.fill(reader.readSigned(bits))
  if (type === 1) {
    for (let index = 0; index < length; index += 1) samples[index] = reader.readSigned(bits)
    return samples
  }
  const isFixed = type >= 8 && type <= 12
  if (!isFixed && type < 32) throw damaged()
  const order = isFixed ? type - 8 : type - 31
  if (order > length) throw damaged()
  for (let index = 0; index < order; index += 1) samples[index] = reader.readSigned(bits)
  const { coefficients, shift } = isFixed
    ? { coefficients: FIXED_COEFFICIENTS[order] ?? [], shift: 0 }
    : readPredictor(reader, order)
  readResidual(reader, samples, order)
  predict(samples, coefficients, 2 ** shift)
  return samples
}

interface Predictor {
  readonly coefficients: readonly number[]
  readonly shift: number
}

function readPredictor(reader: BitReader, order: number): Predictor {
  const precision = reader.read(4) + 1
  const shift = reader.readSigned(5)
  // Sixteen bits and shifts to the left are forbidden.
  if (precision === 16 || shift < 0) throw damaged()
  return { coefficients: Array.from({ length: order }, () => reader.readSigned(precision)), shift }
}

/** Adds to each sample what is foretold from those before it. Sums stay below 2 ** 53, so doubles hold them exactly. */
function predict(samples: Float64Array, coefficients: readonly number[], divisor: number): void {
  const order = coefficients.length
  const weights = Float64Array.from(coefficients)
  for (let index = order; index < samples.length; index += 1) {
    let sum = 0
    for (let back = 0; back < order; back += 1)
      sum += (weights[back] as number) * (samples[index - 1 - back] as number)
    samples[index] = (samples[index] as number) + Math.floor(sum / divisor)
  }
}

/** RFC 9639, 9.2.7: Rice codes in partitions, each with a parameter of its own. */
function readResidual(reader: BitReader, samples: Float64Array, order: number): void {
  const method = reader.read(2)
  if (method > 1) throw damaged()
  const parameterBits = method === 0 ? 4 : 5
  const partitions = 1 << reader.read(4)
  const partLength = samples.length / partitions
  if (!Number.isInteger(partLength) || partLength < order) throw damaged()
  for (let part = 0; part < partitions; part += 1) {
    const start = Math.max(part * partLength, order)
    const end = (part + 1) * partLength
    const parameter = reader.read(parameterBits)
    if (parameter === 2 ** parameterBits - 1) readPlain(reader, samples.subarray(start, end))
    else readRice(reader, samples.subarray(start, end), parameter)
  }
}

function readPlain(reader: BitReader, residual: Float64Array): void {
  const bits = reader.read(5)
  for (let index = 0; index < residual.length; index += 1) residual[index] = reader.readSigned(bits)
}

function readRice(reader: BitReader, residual: Float64Array, parameter: number): void {
  for (let index = 0; index < residual.length; index += 1) {
    const folded = reader.readZeros() * 2 ** parameter + reader.read(parameter)
    residual[index] = folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2
  }
}

/** What is not as the format has it. */
export function damaged(): Error {
  return invalidSound('is a damaged FLAC file')
}
