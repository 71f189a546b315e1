/** Ids of the last seconds, bounded in number. */
export class RecentIds {
  readonly #keepMs: number
  readonly #maxIds: number
  readonly #now: () => number
  /** Id → when it was added, the oldest first. */
  readonly #times = new Map<string, number>()

  constructor({ keepMs, maxIds, now }: { keepMs: number; maxIds: number; now: () => number }) {
    this.#keepMs = keepMs
    this.#maxIds = maxIds
    this.#now = now
  }

  add(id: string): void {
    this.#times.delete(id)
    this.#times.set(id, this.#now())
    this.#forget()
  }

  has(id: string): boolean {
    this.#forget()
    return this.#times.has(id)
  }

  #forget(): void {
    const oldestMs = this.#now() - this.#keepMs
    for (const [id, ms] of this.#times) {
      if (ms > oldestMs && this.#times.size <= this.#maxIds) return
      this.#times.delete(id)
    }
  }
}
