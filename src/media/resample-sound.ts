import { SincFilter } from './sinc-filter.ts'

export interface SoundLimits {
  /** Of the result, in hertz. */
  readonly samplingRate: number
  readonly maxSeconds: number
  /** Samples of the result that are used; the rest of the sound is not kept. */
  readonly usedSamples: number
}

/**
 * A sound's samples at another rate, block by block: band-limited interpolation with a windowed sinc (J. O. Smith, "Digital
 * Audio Resampling"), each result from the phase of the filter that falls on it. Of n samples become ceil(n · to / from).
 */
export class SoundResampler {
  readonly #filter: SincFilter | undefined
  readonly #used: number
  readonly #up: number
  readonly #down: number
  readonly #kept: Float32Array<ArrayBuffer>
  #keptCount = 0
  /** Samples that came and are still needed; the first of them is sample `#first` of the sound. */
  #held: Float32Array
  #heldCount = 0
  #first: number
  #count = 0

  constructor(rate: number, { samplingRate, maxSeconds, usedSamples }: SoundLimits) {
    const divisor = greatestDivisor(rate, samplingRate)
    this.#up = samplingRate / divisor
    this.#down = rate / divisor
    this.#filter = rate === samplingRate ? undefined : new SincFilter(this.#up, this.#down)
    this.#used = Math.min(usedSamples, Math.ceil(maxSeconds * samplingRate))
    // Grows in place up to its maximum, of which no page is taken before.
    const bytes = this.#used * Float32Array.BYTES_PER_ELEMENT
    this.#kept = new Float32Array(new ArrayBuffer(0, { maxByteLength: bytes }))
    const reach = this.#filter?.reach ?? 0
    this.#held = new Float32Array(2 * reach)
    // Silence stands before the sound, and behind it.
    this.#heldCount = reach
    this.#first = -reach
  }

  add(samples: Float32Array): void {
    this.#count += samples.length
    if (this.#keptCount === this.#used) return
    if (this.#filter === undefined) return this.#keep(samples)
    this.#hold(samples)
    this.#convert(this.#filter, Number.POSITIVE_INFINITY)
  }

  finish(): Float32Array {
    if (this.#filter !== undefined) {
      this.#hold(new Float32Array(this.#filter.reach + 1))
      this.#convert(this.#filter, Math.ceil((this.#count * this.#up) / this.#down))
    }
    return this.#kept.subarray(0, this.#keptCount)
  }

  #hold(samples: Float32Array): void {
    const needed = this.#heldCount + samples.length
    if (needed > this.#held.length) {
      const grown = new Float32Array(needed)
      grown.set(this.#held.subarray(0, this.#heldCount))
      this.#held = grown
    }
    this.#held.set(samples, this.#heldCount)
    this.#heldCount = needed
  }

  /** All results for which the samples are there, up to `end`. */
  #convert(filter: SincFilter, end: number): void {
    const [up, down] = [this.#up, this.#down]
    const readable = this.#first + this.#heldCount - filter.reach
    const start = this.#keptCount
    const kept = this.#grow(Math.min(end, Math.ceil((readable * up) / down)) - start)
    for (let index = start; index < this.#keptCount; index += 1) {
      const at = Math.floor((index * down) / up)
      kept[index] = filter.valueAt(this.#held, at - this.#first, (index * down) % up)
    }
    this.#forget(Math.floor((this.#keptCount * down) / up) - filter.reach + 1 - this.#first)
  }

  #forget(count: number): void {
    if (count <= 0) return
    const gone = Math.min(count, this.#heldCount)
    this.#held.copyWithin(0, gone, this.#heldCount)
    this.#heldCount -= gone
    this.#first += gone
  }

  #keep(samples: Float32Array): void {
    const start = this.#keptCount
    const kept = this.#grow(samples.length)
    kept.set(samples.subarray(0, this.#keptCount - start), start)
  }

  /** Makes room for so many more, as far as they are used. */
  #grow(count: number): Float32Array {
    this.#keptCount = Math.min(this.#keptCount + Math.max(count, 0), this.#used)
    this.#kept.buffer.resize(this.#keptCount * Float32Array.BYTES_PER_ELEMENT)
    return this.#kept
  }
}

function greatestDivisor(one: number, other: number): number {
  return other === 0 ? one : greatestDivisor(other, one % other)
}
