/** Triangles over the bins of a spectrum, evenly spaced as the ear hears. */
import type { AudioProcessing } from '../model/spec.ts'

/** `htk` as torchaudio has it; `slaney` as librosa, where each triangle has the same area. */
export type MelScale = 'htk' | 'slaney'

/** One mel band: the weights of the bins from `first` on. */
export interface MelFilter {
  readonly first: number
  readonly weights: Float64Array
}

type MelSettings = Pick<
  AudioProcessing,
  'samplingRate' | 'fftWindowSize' | 'featureSize' | 'frequencyMin' | 'frequencyMax'
>

/** As `mel_filter_bank` of transformers 5.23. */
export function makeMelFilters(settings: MelSettings, scale: MelScale): MelFilter[] {
  const { samplingRate, fftWindowSize, featureSize, frequencyMin, frequencyMax } = settings
  const from = toMel(frequencyMin, scale)
  const step = (toMel(frequencyMax, scale) - from) / (featureSize + 1)
  const corners = Array.from({ length: featureSize + 2 }, (_, index) => toHertz(from + index * step, scale))
  const bins = Math.floor(fftWindowSize / 2) + 1
  const binWidth = Math.floor(samplingRate / 2) / (bins - 1)
  return Array.from({ length: featureSize }, (_, band) => {
    const [left = 0, top = 0, right = 0] = corners.slice(band, band + 3)
    const height = scale === 'slaney' ? 2 / (right - left) : 1
    const all = Float64Array.from({ length: bins }, (_bin, index) => {
      const hertz = index * binWidth
      return height * Math.max(0, Math.min((hertz - left) / (top - left), (right - hertz) / (right - top)))
    })
    return trim(all)
  })
}

function trim(weights: Float64Array): MelFilter {
  const first = Math.max(
    weights.findIndex((weight) => weight > 0),
    0,
  )
  const last = weights.findLastIndex((weight) => weight > 0)
  return { first, weights: weights.slice(first, last + 1) }
}

/** Slaney's scale: straight up to here, then 27 steps of the logarithm to 6.4 times of it. */
const BEND_HERTZ = 1_000
const BEND_MEL = 15
const LOG_STEP = Math.log(6.4) / 27

function toMel(hertz: number, scale: MelScale): number {
  if (scale === 'htk') return 2_595 * Math.log10(1 + hertz / 700)
  return hertz < BEND_HERTZ ? (3 * hertz) / 200 : BEND_MEL + Math.log(hertz / BEND_HERTZ) / LOG_STEP
}

function toHertz(mel: number, scale: MelScale): number {
  if (scale === 'htk') return 700 * (10 ** (mel / 2_595) - 1)
  return mel < BEND_MEL ? (200 * mel) / 3 : BEND_HERTZ * Math.exp(LOG_STEP * (mel - BEND_MEL))
}
