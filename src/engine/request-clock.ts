import type { Timing } from '../task.ts'

/** What the time of a request went to. */
export class RequestClock {
  readonly #now: () => number
  #waitingRows = 0
  #runningRows = 0
  #sinceMs = 0
  #tokenizeMs = 0
  #queueMs = 0
  #runMs = 0

  constructor(now: () => number) {
    this.#now = now
  }

  get timing(): Timing {
    return { tokenizeMs: this.#tokenizeMs, queueMs: this.#queueMs, runMs: this.#runMs }
  }

  /** Rows that began to wait for the device, and to run; less than 0: that ceased to. */
  count(waiting: number, running: number): void {
    const nowMs = this.#now()
    if (this.#waitingRows > 0 && this.#runningRows === 0) this.#queueMs += nowMs - this.#sinceMs
    this.#sinceMs = nowMs
    this.#waitingRows += waiting
    this.#runningRows += running
  }

  /** The device worked on a batch with rows of it. */
  countRun(ms: number): void {
    this.#runMs += ms
  }

  /** Times what is done until the tokenizer has answered. */
  async tokenizing<T>(tokenize: () => Promise<T>): Promise<T> {
    const startMs = this.#now()
    const result = await tokenize()
    this.#tokenizeMs += this.#now() - startMs
    return result
  }
}
