/** How many items may wait for a model, and what becomes of a request that finds no room. */
import { ServerError, cancelled } from '../errors.ts'

export interface AdmissionOptions {
  /** The model, for errors. */
  readonly name: string
  /** Items that may wait: INFINITY_QUEUE_SIZE. */
  readonly queueSize: number
}

export interface AdmissionRequest {
  readonly itemCount: number
  /** What errors call an item. */
  readonly noun: string
  /** `wait`: without room the request is held until there is some, instead of being refused. */
  readonly whenFull: 'refuse' | 'wait'
  readonly signal: AbortSignal | undefined
}

interface Held {
  readonly itemCount: number
  readonly settled: PromiseWithResolvers<void>
}

const MIN_RETRY_MS = 1000
const MAX_RETRY_MS = 60_000

export class Admission {
  readonly #options: AdmissionOptions
  /** In the order they came: nobody overtakes a request that is held. */
  readonly #held: Held[] = []
  #queuedItems = 0
  /** Items a millisecond, over the last batches. */
  #speed = 0

  constructor(options: AdmissionOptions) {
    this.#options = options
  }

  /** Admitted items that no batch holds yet. */
  get queuedItems(): number {
    return this.#queuedItems
  }

  get heldRequests(): number {
    return this.#held.length
  }

  /**
   * Takes a request whole, at once where there is room. Throws `request_too_large` where the queue could never hold it;
   * `overloaded` where it can't now and shall not wait; rejects with `cancelled` where the signal ends the wait.
   */
  admit({ itemCount, noun, whenFull, signal }: AdmissionRequest): Promise<void> | undefined {
    const { queueSize, name } = this.#options
    if (itemCount > queueSize) {
      throw new ServerError(
        'request_too_large',
        `the request has ${itemCount} ${noun}s; ${name} queues at most ${queueSize} (INFINITY_QUEUE_SIZE)`,
      )
    }
    if (this.#held.length === 0 && this.#queuedItems + itemCount <= queueSize) {
      this.#queuedItems += itemCount
      return undefined
    }
    if (whenFull === 'wait') return this.#hold(itemCount, signal)
    const retryAfterMs = Math.min(
      MAX_RETRY_MS,
      Math.max(MIN_RETRY_MS, this.#queuedItems / (this.#speed || 1)),
    )
    throw new ServerError('overloaded', `the queue of ${name} ${this.#whyFull(itemCount)}`, { retryAfterMs })
  }

  /** Items that left the queue, for a batch or for good. */
  release(itemCount: number): void {
    this.#queuedItems -= itemCount
    for (let first = this.#held[0]; first !== undefined; first = this.#held[0]) {
      if (this.#queuedItems + first.itemCount > this.#options.queueSize) return
      this.#held.shift()
      this.#queuedItems += first.itemCount
      first.settled.resolve()
    }
  }

  /** Items that a batch gave back: they were admitted once, and are not refused now. */
  takeBack(itemCount: number): void {
    this.#queuedItems += itemCount
  }

  /** What a batch took tells how long a wait will be. */
  noteSpeed(itemCount: number, ms: number): void {
    const speed = itemCount / Math.max(0.01, ms)
    this.#speed = this.#speed === 0 ? speed : 0.8 * this.#speed + 0.2 * speed
  }

  /** Ends every wait. */
  close(error: ServerError): void {
    for (const { settled } of this.#held.splice(0)) settled.reject(error)
  }

  #whyFull(itemCount: number): string {
    const { queueSize } = this.#options
    const items = `holds ${this.#queuedItems} items`
    if (this.#queuedItems + itemCount > queueSize) {
      return `${items}; ${itemCount} more would pass its limit of ${queueSize}`
    }
    return `${items} of at most ${queueSize}; ${this.#held.length} requests that came before wait for room`
  }

  async #hold(itemCount: number, signal: AbortSignal | undefined): Promise<void> {
    const held: Held = { itemCount, settled: Promise.withResolvers() }
    this.#held.push(held)
    const onAbort = () => {
      const index = this.#held.indexOf(held)
      if (index < 0) return
      this.#held.splice(index, 1)
      held.settled.reject(cancelled())
      // A smaller one behind it may fit.
      this.release(0)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      await held.settled.promise
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }
}
