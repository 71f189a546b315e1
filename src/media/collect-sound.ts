import { ServerError } from '../errors.ts'
import type { SoundLimits } from './resample-sound.ts'
import { SoundResampler } from './resample-sound.ts'

/** Hertz. Below it is no sound that a model could hear, above it no recording. */
const MIN_RATE = 1_000
const MAX_RATE = 384_000

/** Full scale is 1; files of unscaled integers as floats reach 2 ** 31. */
const MAX_SAMPLE = 2 ** 31

/** One channel at the model's rate. */
export interface Sound {
  readonly samples: Float32Array
  /** Of all of it, also where not all of it was kept. */
  readonly seconds: number
}

/**
 * Takes a sound as it is decoded, block by block, and keeps it as one channel at the model's rate, so that no more than that
 * is ever in memory. Throws `invalid_request` once it is longer than is allowed.
 */
export class SoundCollector {
  readonly #limits: SoundLimits
  #rate = 0
  #count = 0
  #resampler: SoundResampler | undefined

  constructor(limits: SoundLimits) {
    this.#limits = limits
  }

  /** Hertz, and the samples of a channel where the file tells them. Once more is allowed, at the same rate only. */
  start(rate: number, samples?: number): void {
    if (!(rate >= MIN_RATE && rate <= MAX_RATE))
      throw invalidSound(`has ${rate} samples a second; allowed are ${MIN_RATE} to ${MAX_RATE}`)
    if (this.#resampler !== undefined && rate !== this.#rate)
      throw invalidSound(`changes from ${this.#rate} to ${rate} samples a second; one rate is read`)
    this.#rate = rate
    this.#resampler ??= new SoundResampler(rate, this.#limits)
    if (samples !== undefined && this.#isTooLong(samples))
      throw this.#tooLong(`${(samples / rate).toFixed(1)} seconds, more than`)
  }

  /** The next samples of each channel, as many of each. */
  add(channels: readonly Float32Array[]): void {
    const [first] = channels
    if (first === undefined || first.length === 0) return
    if (this.#isTooLong(this.#count + first.length)) throw this.#tooLong('more than')
    const mono = channels.length === 1 ? first : average(channels)
    refuseUnreadable(mono, channels, this.#count)
    this.#count += mono.length
    this.#resampler?.add(mono)
  }

  /** All of it. Throws where nothing came. */
  finish(): Sound {
    if (this.#resampler === undefined || this.#count === 0) throw invalidSound('has no samples')
    return { samples: this.#resampler.finish(), seconds: this.#count / this.#rate }
  }

  #isTooLong(samples: number): boolean {
    return samples > this.#limits.maxSeconds * this.#rate
  }

  #tooLong(length: string): ServerError {
    const { maxSeconds } = this.#limits
    return invalidSound(`has ${length} the ${maxSeconds} seconds that are allowed (MEDIA_MAX_SECONDS)`)
  }
}

/** What follows says what the sound does wrong: `is empty`. */
export function invalidSound(says: string): ServerError {
  return new ServerError('invalid_request', `the sound ${says}`)
}

function average(channels: readonly Float32Array[]): Float32Array {
  const mono = new Float32Array(channels[0]?.length ?? 0)
  for (let index = 0; index < mono.length; index += 1) {
    let sum = 0
    for (const channel of channels) sum += channel[index] ?? 0
    mono[index] = sum / channels.length
  }
  return mono
}

function refuseUnreadable(mono: Float32Array, channels: readonly Float32Array[], before: number): void {
  // A comparison that NaN fails as well.
  const index = mono.findIndex((value) => !(Math.abs(value) <= MAX_SAMPLE))
  if (index < 0) return
  const value = channels.map((channel) => channel[index] ?? 0).find((one) => !(Math.abs(one) <= MAX_SAMPLE))
  throw invalidSound(
    `has ${value} as sample ${before + index}; samples are finite numbers from -${MAX_SAMPLE} to ${MAX_SAMPLE}, full scale is 1`,
  )
}
