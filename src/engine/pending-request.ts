import type { CallOptions } from '../task.ts'

export interface PendingRequestOptions {
  readonly rowCount: number
  /** Numbers of a row. */
  readonly width: number
  /** What errors call a row. */
  readonly noun: string
  /** Lets its rows be dropped. */
  readonly onFailure: () => void
  readonly onProgress?: CallOptions['onProgress']
}

/** A request between admission and answer: settles once, whichever comes first. */
export class PendingRequest {
  readonly noun: string
  readonly #width: number
  readonly #output: Float32Array
  readonly #onFailure: () => void
  readonly #onProgress: CallOptions['onProgress']
  readonly #settled = Promise.withResolvers<Float32Array>()
  #missing: number
  #done = false
  #runMs = 0

  constructor(options: PendingRequestOptions) {
    const { rowCount, width, noun, onFailure, onProgress } = options
    this.noun = noun
    this.#width = width
    this.#output = new Float32Array(rowCount * width)
    this.#missing = rowCount
    this.#onFailure = onFailure
    this.#onProgress = onProgress
    // Whoever asked may learn of a failure only after it has happened.
    this.#settled.promise.catch(() => {})
  }

  /** [rowCount, width], once every row is in. */
  get result(): Promise<Float32Array> {
    return this.#settled.promise
  }

  /** True once answered, failed or cancelled: its rows need not run any more. */
  get done(): boolean {
    return this.#done
  }

  get runMs(): number {
    return this.#runMs
  }

  countRun(ms: number): void {
    this.#runMs += ms
  }

  deliver(index: number, values: Float32Array): void {
    if (this.#done) return
    this.#output.set(values, index * this.#width)
    this.#missing--
    const rowCount = this.#output.length / this.#width
    this.#onProgress?.(rowCount - this.#missing, rowCount)
    if (this.#missing > 0) return
    this.#done = true
    this.#settled.resolve(this.#output)
  }

  fail(error: unknown): void {
    if (this.#done) return
    this.#done = true
    this.#settled.reject(error)
    this.#onFailure()
  }
}
