const LOG_INTERVAL_MS = 10_000

/** When an outage is to be logged: at its start, then every ten seconds, however often a call fails meanwhile. */
export class Outage {
  readonly #now: () => number
  #count = 0
  #loggedMs = -Infinity

  constructor(now: () => number) {
    this.#now = now
  }

  /** Failures since the last line, where a line is due. */
  fail(): number | undefined {
    this.#count++
    const nowMs = this.#now()
    if (nowMs - this.#loggedMs < LOG_INTERVAL_MS) return undefined
    this.#loggedMs = nowMs
    const count = this.#count
    this.#count = 0
    return count
  }

  end(): void {
    this.#count = 0
    this.#loggedMs = -Infinity
  }
}
