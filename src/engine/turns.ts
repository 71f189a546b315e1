/** Who has long work on this thread takes turns with the others who have: between any two the event loop goes round. */
import { setImmediate } from 'node:timers/promises'

export class Turns {
  #last: Promise<void> = Promise.resolve()

  /** Once it is the caller's turn, which lasts until it next awaits: its work is to be short. */
  next(): Promise<void> {
    this.#last = this.#last.then(() => setImmediate())
    return this.#last
  }
}
