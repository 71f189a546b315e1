import PQueue from 'p-queue'
import { ServerError, cancelled } from '../errors.ts'

export interface GateOptions {
  /** Tasks in flight: RUNPOD_MAX_CONCURRENCY. */
  readonly concurrency: number
  /** Tasks that may wait in line. */
  readonly maxWaiting: number
  /** Memory that what waits in line may take. */
  readonly maxWaitingBytes: number
}

export interface GateRequest {
  /** Of the request's body; what waits holds it in memory. */
  readonly bytes: number
  /** Ends the wait, not what runs. */
  readonly signal?: AbortSignal | undefined
}

const RETRY_AFTER_MS = 1000

/** For requests that nobody else counts: lets so many tasks run at once; more wait in line, and one too many is refused. */
export class Gate {
  readonly #options: GateOptions
  readonly #queue: PQueue
  #waitingBytes = 0

  constructor(options: GateOptions) {
    this.#options = options
    this.#queue = new PQueue({ concurrency: options.concurrency })
  }

  get running(): number {
    return this.#queue.pending
  }

  get waiting(): number {
    return this.#queue.size
  }

  /** Resolves when nothing runs or waits any more, or after `limitMs`. */
  async idle(limitMs: number): Promise<void> {
    const limit = Promise.withResolvers<void>()
    const timer = setTimeout(limit.resolve, limitMs)
    await Promise.race([this.#queue.onIdle(), limit.promise])
    clearTimeout(timer)
  }

  /** What `task` resolves or rejects with. Throws `overloaded` where the line is full, `cancelled` where its signal ends the wait. */
  async run<T>(task: () => Promise<T>, { bytes, signal }: GateRequest): Promise<T> {
    const { concurrency, maxWaiting, maxWaitingBytes } = this.#options
    const mustWait = this.running >= concurrency
    if (mustWait && (this.waiting >= maxWaiting || this.#waitingBytes + bytes > maxWaitingBytes)) {
      throw new ServerError(
        'overloaded',
        `${this.running} requests are in flight and ${this.waiting} wait (${this.#waitingBytes >> 20} MB); the limits are ${concurrency} (RUNPOD_MAX_CONCURRENCY), and ${maxWaiting} or ${maxWaitingBytes >> 20} MB waiting`,
        { retryAfterMs: RETRY_AFTER_MS },
      )
    }
    return this.#wait(task, bytes, signal)
  }

  async #wait<T>(task: () => Promise<T>, bytes: number, signal: AbortSignal | undefined): Promise<T> {
    if (signal?.aborted) throw cancelled()
    this.#waitingBytes += bytes
    // Not the caller's signal: the queue would take a task that runs for ended, and start the next one beside it.
    const line = new AbortController()
    const giveUp = () => line.abort()
    signal?.addEventListener('abort', giveUp, { once: true })
    let isWaiting = true
    const leaveLine = () => {
      if (isWaiting) this.#waitingBytes -= bytes
      isWaiting = false
      signal?.removeEventListener('abort', giveUp)
    }
    try {
      return await this.#queue.add(
        () => {
          leaveLine()
          return task()
        },
        { signal: line.signal },
      )
    } catch (error) {
      throw isWaiting && line.signal.aborted ? cancelled() : error
    } finally {
      leaveLine()
    }
  }
}
