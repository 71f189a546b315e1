import type { AudioProcessing } from '../model/spec.ts'
import { makeTransform } from './fourier.ts'
import type { MelFilter, MelScale } from './mel-filters.ts'
import { makeMelFilters } from './mel-filters.ts'

/** No power is less: −100 dB. */
const FLOOR = 1e-10

/** The frames that `sampleCount` samples have: each is centred on a hop. */
export function countFrames(sampleCount: number, hopLength: number): number {
  return 1 + Math.floor(sampleCount / hopLength)
}

/**
 * The spectrogram of a sound in decibels, [frames, mels]: what `spectrogram` of transformers 5.23 gives with a Hann window,
 * power 2 and reflected ends, within 2e-5. In doubles up to the result.
 */
export function logMel(samples: Float32Array, processing: AudioProcessing, scale: MelScale): Float32Array {
  const { fftWindowSize: size, hopLength, featureSize } = processing
  const filters = makeMelFilters(processing, scale)
  const window = Float64Array.from(
    { length: size },
    (_, index) => 0.5 - 0.5 * Math.cos((2 * Math.PI * index) / size),
  )
  const transform = makeTransform(size)
  const frames = countFrames(samples.length, hopLength)
  const values = new Float32Array(frames * featureSize)
  const real = new Float64Array(size)
  const imaginary = new Float64Array(size)
  // Two frames in one transform: as real and as imaginary parts.
  for (let frame = 0; frame < frames; frame += 2) {
    cutFrame(real, samples, { window, start: frame * hopLength - size / 2 })
    cutFrame(imaginary, samples, { window, start: (frame + 1) * hopLength - size / 2 })
    transform(real, imaginary)
    const [one, other] = splitPowers(real, imaginary)
    writeBands(values.subarray(frame * featureSize), one, filters)
    if (frame + 1 < frames) writeBands(values.subarray((frame + 1) * featureSize), other, filters)
  }
  return values
}

function cutFrame(
  into: Float64Array,
  samples: Float32Array,
  { window, start }: { window: Float64Array; start: number },
): void {
  const last = samples.length - 1
  for (let index = 0; index < into.length; index += 1) {
    const at = start + index
    const place = at >= 0 && at <= last ? at : reflect(at, last)
    into[index] = (samples[place] as number) * (window[index] as number)
  }
}

/** The place of a mirror's image: the first and the last sample, on which the mirrors stand, are not repeated. */
function reflect(at: number, last: number): number {
  if (last === 0) return 0
  const turn = Math.abs(at) % (2 * last)
  return Math.min(turn, 2 * last - turn)
}

/** The power of each bin of two real signals that were transformed as one complex one. */
function splitPowers(real: Float64Array, imaginary: Float64Array): [Float64Array, Float64Array] {
  const size = real.length
  const one = new Float64Array(size / 2 + 1)
  const other = new Float64Array(size / 2 + 1)
  for (let bin = 0; bin <= size / 2; bin += 1) {
    const mirrored = (size - bin) % size
    const [x, y] = [real[bin] as number, imaginary[bin] as number]
    const [mirroredX, mirroredY] = [real[mirrored] as number, imaginary[mirrored] as number]
    one[bin] = power((x + mirroredX) / 2, (y - mirroredY) / 2)
    other[bin] = power((y + mirroredY) / 2, (mirroredX - x) / 2)
  }
  return [one, other]
}

function power(x: number, y: number): number {
  return x * x + y * y
}

function writeBands(into: Float32Array, powers: Float64Array, filters: readonly MelFilter[]): void {
  for (const [band, { first, weights }] of filters.entries()) {
    let sum = 0
    for (let index = 0; index < weights.length; index += 1)
      sum += (weights[index] as number) * (powers[first + index] as number)
    into[band] = 10 * Math.log10(Math.max(sum, FLOOR))
  }
}
