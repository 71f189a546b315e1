import { cancelled } from '../../errors.ts'

export interface WaitOptions {
  /** Milliseconds after which the wait ends without. */
  readonly waitMs: number
  readonly signal?: AbortSignal | undefined
}

export interface Wish<T> {
  /** What is waited for; undefined while it is not there. */
  readonly serve: () => T | undefined
  /** What a wait that ended without resolves with. */
  readonly otherwise: () => T
}

interface Waiting<T> extends Wish<T> {
  readonly settled: PromiseWithResolvers<T>
}

/** Callers that wait for the same thing, each for a time of its own; served in the order they came. */
export class WaitingLine<T> {
  readonly #line = new Set<Waiting<T>>()

  get isEmpty(): boolean {
    return this.#line.size === 0
  }

  /** Served at once where that is possible. Rejects with `cancelled` when aborted; what was served is never lost so. */
  async wait(wish: Wish<T>, { waitMs, signal }: WaitOptions): Promise<T> {
    if (signal?.aborted === true) throw cancelled()
    const served = wish.serve()
    if (served !== undefined) return served
    const waiting: Waiting<T> = { ...wish, settled: Promise.withResolvers() }
    const timer = setTimeout(() => this.#leave(waiting), waitMs)
    const onAbort = () => {
      if (this.#line.delete(waiting)) waiting.settled.reject(cancelled())
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#line.add(waiting)
    try {
      return await waiting.settled.promise
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** To be called whenever there may be something to serve. */
  wake(): void {
    for (const waiting of this.#line) {
      const served = waiting.serve()
      // They wait for the same thing: where it is used up for one, it is for those behind.
      if (served === undefined) return
      this.#line.delete(waiting)
      waiting.settled.resolve(served)
    }
  }

  /** Ends every wait, without. */
  end(): void {
    for (const waiting of this.#line) this.#leave(waiting)
  }

  #leave(waiting: Waiting<T>): void {
    if (this.#line.delete(waiting)) waiting.settled.resolve(waiting.otherwise())
  }
}
