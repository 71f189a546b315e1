/**
 * The low pass of a resampler. Its numbers are those that torchaudio's documentation of `functional.resample` gives for
 * what resampy calls `kaiser_best`.
 */
const ZERO_CROSSINGS = 64
const ROLLOFF = 0.9475937167399596
const KAISER_BETA = 14.769656459379492

/** Rates that need more are read between the nearest two of so many: within 3e-7 of full scale. */
const MAX_PHASES = 2_048

/** For `up` results of every `down` samples. */
export class SincFilter {
  /** Samples on each side of a result that it is made of. */
  readonly reach: number
  readonly #up: number
  /** Zero crossings for each sample: below 1 where the result cannot hold all that the sound does. */
  readonly #pace: number
  readonly #phaseCount: number
  /** Weights of samples, made when a result first asks for them. */
  readonly #phases: Float64Array[] = []

  constructor(up: number, down: number) {
    this.#up = up
    this.#pace = Math.min(1, up / down) * ROLLOFF
    this.#phaseCount = Math.min(up, MAX_PHASES)
    this.reach = Math.ceil(ZERO_CROSSINGS / this.#pace)
  }

  /** What lies `part / up` samples behind `samples[at]`. */
  valueAt(samples: Float32Array, at: number, part: number): number {
    const phase = (part * this.#phaseCount) / this.#up
    const before = Math.floor(phase)
    const share = phase - before
    const start = at - this.reach + 1
    const value = dot(this.#weights(before), samples, start)
    return share === 0 ? value : value + share * (dot(this.#weights(before + 1), samples, start) - value)
  }

  #weights(phase: number): Float64Array {
    return (this.#phases[phase] ??= Float64Array.from({ length: 2 * this.reach }, (_, index) => {
      const distance = index - (this.reach - 1) - phase / this.#phaseCount
      return this.#pace * weigh(Math.abs(distance) * this.#pace)
    }))
  }
}

/** A sinc under a Kaiser window, at so many zero crossings from its middle. */
function weigh(distance: number): number {
  if (distance >= ZERO_CROSSINGS) return 0
  const angle = Math.PI * distance
  const sinc = distance === 0 ? 1 : Math.sin(angle) / angle
  const share = distance / ZERO_CROSSINGS
  return (sinc * bessel(KAISER_BETA * Math.sqrt(1 - share * share))) / bessel(KAISER_BETA)
}

/** The modified Bessel function of order 0, by its series. */
function bessel(x: number): number {
  let sum = 1
  let term = 1
  for (let step = 1; term > sum * 1e-17; step += 1) {
    term *= (x / (2 * step)) ** 2
    sum += term
  }
  return sum
}

/** An even number of weights. Two sums: an addition need not wait for the one before it. */
function dot(weights: Float64Array, samples: Float32Array, start: number): number {
  let sum = 0
  let other = 0
  for (let index = 0; index < weights.length; index += 2) {
    sum += (weights[index] as number) * (samples[start + index] as number)
    other += (weights[index + 1] as number) * (samples[start + index + 1] as number)
  }
  return sum + other
}
