import { cancelled } from '../errors.ts'
import type { Priority } from '../task.ts'
import { PRIORITIES } from './place.ts'

interface Waiting {
  readonly count: number
  readonly priority: Priority
  readonly resolve: () => void
}

/** Every so many grants go to who waits longest, whatever else waits. */
const TURN = 4

/**
 * How many pictures and sounds of a model may be on their way from their source to the device: read, each takes megabytes, and the
 * queue takes thousands of items. The most urgent come first, of them who needs the fewest, but nobody waits for ever.
 */
export class MediaSlots {
  /** In the order they came. */
  readonly #waiting: Waiting[] = []
  #free: number
  #grants = 0

  constructor(count: number) {
    this.#free = count
  }

  /** So many at once, which are no more than there are: whoever had some and waited for others would hold up all. */
  async take(count: number, priority: Priority, signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw cancelled()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiting: Waiting = { count, priority, resolve }
    const onAbort = () => {
      const index = this.#waiting.indexOf(waiting)
      if (index < 0) return
      this.#waiting.splice(index, 1)
      reject(cancelled())
      // One that needs fewer may find enough.
      this.#grant()
    }
    this.#waiting.push(waiting)
    signal.addEventListener('abort', onAbort, { once: true })
    this.#grant()
    try {
      await promise
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  give(count: number): void {
    this.#free += count
    this.#grant()
  }

  /** Nobody passes who is next, however few it needs: the turn of who waits longest would not come. */
  #grant(): void {
    for (let next = this.#next(); next !== undefined && next.count <= this.#free; next = this.#next()) {
      this.#waiting.splice(this.#waiting.indexOf(next), 1)
      this.#free -= next.count
      this.#grants++
      next.resolve()
    }
  }

  #next(): Waiting | undefined {
    if (this.#grants % TURN === TURN - 1) return this.#waiting[0]
    for (const priority of PRIORITIES) {
      const [first, ...others] = this.#waiting.filter((waiting) => waiting.priority === priority)
      if (first !== undefined)
        return others.reduce((one, other) => (other.count < one.count ? other : one), first)
    }
    return undefined
  }
}
