import { cancelled } from '../errors.ts'

type Start = () => void

/** Every so many places go to the request that waits longest, whatever others have. */
const TURN = 4

/**
 * Bounds what runs at a time. The request with the fewest works left is next, so that a picture alone does not wait for all of
 * somebody else's, and of requests alike one is ready after the other instead of all at the end. But none waits for ever.
 */
export class FairLine {
  readonly #atOnce: number
  /** By request, in the order they came to wait. */
  readonly #waiting = new Map<object, Start[]>()
  #running = 0
  #places = 0

  constructor(atOnce: number) {
    this.#atOnce = atOnce
  }

  /**
   * Resolves, or rejects, as `work` does. Works with one signal are of one request; it ends the wait, with `cancelled`, not what
   * runs.
   */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#running < this.#atOnce) this.#running++
    else await this.#wait(signal)
    try {
      return await work()
    } finally {
      this.#leave()
    }
  }

  async #wait(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true) throw cancelled()
    const owner = signal ?? {}
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const own = this.#waiting.get(owner) ?? []
    this.#waiting.set(owner, own)
    own.push(resolve)
    const onAbort = () => {
      this.#waiting.delete(owner)
      reject(cancelled())
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      await promise
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** Its place goes to the next, if there is one. */
  #leave(): void {
    const next = this.#next()
    if (next === undefined) {
      this.#running--
      return
    }
    this.#places++
    const [owner, own] = next
    own.shift()?.()
    if (own.length === 0) this.#waiting.delete(owner)
  }

  #next(): [object, Start[]] | undefined {
    const [first, ...others] = this.#waiting
    if (first === undefined || this.#places % TURN === TURN - 1) return first
    return others.reduce((one, other) => (other[1].length < one[1].length ? other : one), first)
  }
}
