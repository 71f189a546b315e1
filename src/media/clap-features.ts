/** What `ClapFeatureExtractor` of transformers 5.23 makes of a sound that stands alone, with nothing left to chance. */
import type { AudioProcessing } from '../model/spec.ts'
import { countFrames, logMel } from './log-mel.ts'

export interface Features {
  /** [lines, mels] */
  readonly values: Float32Array<SharedArrayBuffer>
  readonly lines: number
}

/** Four views, then a line whose first number says that they differ. */
const VIEWS = 4

/** Samples that are looked at, of a sound of any length. */
export function countUsedSamples({ truncation, maxSamples }: AudioProcessing): number {
  return truncation === 'fusion' ? Number.POSITIVE_INFINITY : maxSamples
}

/**
 * A log-mel spectrogram of `maxSamples` samples, [frames, mels]. Of longer sound the beginning, where transformers takes a piece
 * from anywhere (`rand_trunc`), or with `fusion` four of them and one more line, whose first number is 1: the whole sound
 * squeezed, the beginning, the middle of the middle third of all places where a view can begin, and the end. Of shorter
 * sound `fusion` has four times the same, and the 1 as well: transformers says of one sound of every batch that it is longer.
 */
export function extractFeatures(samples: Float32Array, processing: AudioProcessing): Features {
  const { truncation, maxSamples, hopLength, featureSize: mels } = processing
  const frames = countFrames(maxSamples, hopLength)
  if (truncation === 'rand_trunc') {
    const heard = samples.length > maxSamples ? samples.subarray(0, maxSamples) : fillUp(samples, processing)
    const values = shareNumbers(frames * mels)
    values.set(logMel(heard, processing, 'slaney'))
    return { values, lines: frames }
  }
  const heard = samples.length > maxSamples ? samples : fillUp(samples, processing)
  const all = logMel(heard, processing, 'htk')
  const lines = VIEWS * frames + 1
  const values = shareNumbers(lines * mels)
  for (const [index, view] of cutViews(all, frames, mels).entries()) values.set(view, index * frames * mels)
  values[VIEWS * frames * mels] = 1
  return { values, lines }
}

/** To `maxSamples`. */
function fillUp(samples: Float32Array, { maxSamples, padding }: AudioProcessing): Float32Array {
  const filled = new Float32Array(maxSamples)
  const whole = Math.floor(maxSamples / samples.length)
  const copies = padding === 'repeatpad' ? whole : padding === 'repeat' ? whole + 1 : 1
  for (let copy = 0; copy < copies; copy += 1) {
    const start = copy * samples.length
    filled.set(samples.subarray(0, maxSamples - start), start)
  }
  return filled
}

function cutViews(all: Float32Array, frames: number, mels: number): Float32Array[] {
  const total = all.length / mels
  if (total === frames) return Array.from({ length: VIEWS }, () => all)
  const cut = (start: number) => all.subarray(start * mels, (start + frames) * mels)
  return [squeeze(all, frames, mels), ...viewStarts(total - frames + 1).map(cut)]
}

/**
 * One in each third of `count` places, which are split as numpy's `array_split` does: the first thirds have one more where
 * they are not alike. A third without places has the first of all.
 */
function viewStarts(count: number): [number, number, number] {
  const second = Math.ceil(count / 3)
  const third = second + Math.ceil((count - second) / 2)
  return [0, second < third ? Math.floor((second + third - 1) / 2) : 0, third < count ? count - 1 : 0]
}

/** As torch's `interpolate`, bilinear and without aligned corners, along the frames; in float32 as there. */
function squeeze(all: Float32Array, frames: number, mels: number): Float32Array {
  const { fround } = Math
  const total = all.length / mels
  const scale = fround(total / frames)
  const squeezed = new Float32Array(frames * mels)
  for (let frame = 0; frame < frames; frame += 1) {
    const at = Math.max(fround(fround(scale * fround(frame + 0.5)) - 0.5), 0)
    const before = Math.floor(at)
    const after = Math.min(before + 1, total - 1)
    const share = fround(at - before)
    for (let mel = 0; mel < mels; mel += 1) {
      const [one, other] = [all[before * mels + mel] as number, all[after * mels + mel] as number]
      squeezed[frame * mels + mel] = fround(fround(1 - share) * one) + fround(share * other)
    }
  }
  return squeezed
}

function shareNumbers(count: number): Float32Array<SharedArrayBuffer> {
  return new Float32Array(new SharedArrayBuffer(count * Float32Array.BYTES_PER_ELEMENT))
}
