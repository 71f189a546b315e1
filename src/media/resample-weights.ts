/**
 * Weights of Pillow's `Image.resize`, to the last bit: pictures that towers were trained on went through it, and other
 * libraries' filters of the same names differ (facts: Pillow 13, src/libImaging/Resample.c).
 */
import type { ImageProcessing } from '../model/spec.ts'

export type Resample = ImageProcessing['resample']

/** Of each output place along one axis: which input places it is made of, and how much of each. */
export interface AxisWeights {
  /** The first input place of each output place. */
  readonly starts: Int32Array
  /** How many of them. */
  readonly counts: Int32Array
  /** [places, stride], in units of 2 ** -WEIGHT_BITS; what stands behind a place's count is 0. */
  readonly weights: Int32Array
  readonly stride: number
}

/** Eight bits hold the result, and two more what sums of negative weights make of it. */
export const WEIGHT_BITS = 32 - 8 - 2

interface Filter {
  /** How far it reaches from its centre, in input places of an unscaled picture. */
  readonly support: number
  readonly weigh: (distance: number) => number
}

const BICUBIC_A = -0.5

const FILTERS: Readonly<Record<Exclude<Resample, 'nearest'>, Filter>> = {
  box: { support: 0.5, weigh: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weigh: (x) => Math.max(1 - Math.abs(x), 0) },
  hamming: { support: 1, weigh: (x) => weighHamming(Math.abs(x)) },
  bicubic: { support: 2, weigh: (x) => weighBicubic(Math.abs(x)) },
  lanczos: { support: 3, weigh: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
}

// its two constants are floats in Pillow
const [HAMMING_MEAN, HAMMING_SWING] = [Math.fround(0.54), Math.fround(0.46)]

function weighHamming(x: number): number {
  if (x === 0) return 1
  if (x >= 1) return 0
  const angle = x * Math.PI
  return (Math.sin(angle) / angle) * (HAMMING_MEAN + HAMMING_SWING * Math.cos(angle))
}

function weighBicubic(x: number): number {
  if (x < 1) return ((BICUBIC_A + 2) * x - (BICUBIC_A + 3)) * x * x + 1
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * BICUBIC_A
  return 0
}

function sinc(x: number): number {
  if (x === 0) return 1
  const angle = x * Math.PI
  return Math.sin(angle) / angle
}

/** What an axis of `inputSize` places becomes, of which `count` output places from `first` on are wanted. */
export interface Axis {
  readonly inputSize: number
  readonly outputSize: number
  readonly first: number
  readonly count: number
}

/** `first` + `count` may not go beyond `outputSize`. */
export function weighAxis(
  { inputSize, outputSize, first, count }: Axis,
  resample: Exclude<Resample, 'nearest'>,
): AxisWeights {
  const filter = FILTERS[resample]
  const scale = inputSize / outputSize
  const filterScale = Math.max(scale, 1)
  const support = filter.support * filterScale
  const stride = Math.ceil(support) * 2 + 1
  const inverse = 1 / filterScale
  const starts = new Int32Array(count)
  const counts = new Int32Array(count)
  const weights = new Int32Array(count * stride)
  const exact = new Float64Array(stride)
  for (let place = 0; place < count; place++) {
    const center = (first + place + 0.5) * scale
    const start = Math.max(Math.trunc(center - support + 0.5), 0)
    const length = Math.min(Math.trunc(center + support + 0.5), inputSize) - start
    let sum = 0
    for (let tap = 0; tap < length; tap++) {
      const weight = filter.weigh((tap + start - center + 0.5) * inverse)
      exact[tap] = weight
      sum += weight
    }
    starts[place] = start
    counts[place] = length
    const row = place * stride
    for (let tap = 0; tap < length; tap++) weights[row + tap] = toFixedPoint(exact[tap] as number, sum)
  }
  return { starts, counts, weights, stride }
}

function toFixedPoint(weight: number, sum: number): number {
  const share = sum === 0 ? weight : weight / sum
  return Math.trunc(share * 2 ** WEIGHT_BITS + (share < 0 ? -0.5 : 0.5))
}

/** Where each output place's nearest input place lies. Steps are added up, as Pillow does: a product rounds otherwise. */
export function findNearest({ inputSize, outputSize, first, count }: Axis): Int32Array {
  const places = new Int32Array(count)
  const step = inputSize / outputSize
  let at = step * 0.5
  for (let place = 0; place < first + count; place++) {
    if (place >= first) places[place - first] = Math.min(Math.trunc(at), inputSize - 1)
    at += step
  }
  return places
}
