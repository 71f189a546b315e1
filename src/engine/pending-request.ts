import type { CallOptions } from '../task.ts'
import type { Place } from './place.ts'
import type { RequestClock } from './request-clock.ts'

export type KeepTokens = (index: number, tokens: Float32Array) => Float32Array

export interface PendingRequestOptions {
  readonly rowCount: number
  /** Numbers of a row. */
  readonly width: number
  /** What errors call a row. */
  readonly noun: string
  readonly clock: RequestClock
  readonly place: Place
  /** What is kept of the vectors of a row's tokens, as numbers of its own; all of them unless told. */
  readonly keepTokens?: KeepTokens | undefined
  /** Lets its rows be dropped. */
  readonly onFailure: () => void
  readonly onProgress?: CallOptions['onProgress']
  /** Told of each row whose result is in. */
  readonly onDelivered?: ((index: number) => void) | undefined
}

export interface RequestOutput {
  /** [rowCount, width] */
  readonly rows: Float32Array
  /** Of each row [its tokens, tokenWidth], where they came with them. */
  readonly tokens: readonly Float32Array[] | undefined
}

/** A request between admission and answer: settles once, whichever comes first. */
export class PendingRequest {
  readonly noun: string
  readonly clock: RequestClock
  readonly place: Place
  /** Tokens of all its rows, as they were estimated when it came. */
  readonly wholeTokens: number
  readonly #width: number
  readonly #rows: Float32Array
  readonly #keepTokens: KeepTokens
  readonly #onFailure: () => void
  readonly #onProgress: CallOptions['onProgress']
  readonly #onDelivered: PendingRequestOptions['onDelivered']
  readonly #settled = Promise.withResolvers<RequestOutput>()
  #tokens: Float32Array[] | undefined
  #missing: number
  #done = false

  constructor(options: PendingRequestOptions) {
    const { rowCount, width, noun, clock, place, keepTokens = keepAll, onFailure, onProgress } = options
    this.#keepTokens = keepTokens
    this.noun = noun
    this.clock = clock
    this.place = place
    this.wholeTokens = place.tokens
    this.#width = width
    this.#rows = new Float32Array(rowCount * width)
    this.#missing = rowCount
    this.#onFailure = onFailure
    this.#onProgress = onProgress
    this.#onDelivered = options.onDelivered
    // Whoever asked may learn of a failure only after it has happened.
    this.#settled.promise.catch(() => {})
  }

  /** Once every row is in. */
  get result(): Promise<RequestOutput> {
    return this.#settled.promise
  }

  /** True once answered, failed or cancelled: its rows need not run any more. */
  get done(): boolean {
    return this.#done
  }

  /** Both are copied: others may get them too. */
  deliver(index: number, values: Float32Array, tokens?: Float32Array): void {
    if (this.#done) return
    this.#rows.set(values, index * this.#width)
    if (tokens !== undefined) {
      this.#tokens ??= []
      this.#tokens[index] = this.#keepTokens(index, tokens)
    }
    this.#missing--
    this.#onDelivered?.(index)
    const rowCount = this.#rows.length / this.#width
    try {
      this.#onProgress?.(rowCount - this.#missing, rowCount)
    } catch (error) {
      // Whoever watches this request spoils it alone: others may be in the same batch.
      return this.fail(error)
    }
    if (this.#missing > 0) return
    this.#done = true
    this.#settled.resolve({ rows: this.#rows, tokens: this.#tokens })
  }

  fail(error: unknown): void {
    if (this.#done) return
    this.#done = true
    this.#settled.reject(error)
    this.#onFailure()
  }
}

function keepAll(_: number, tokens: Float32Array): Float32Array {
  return tokens.slice()
}
