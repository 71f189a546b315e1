/** Larger batches save nothing that could be measured, and one that cannot be read loses all of its jobs for a while. */
const MAX_JOBS = 64
/** A batch that is too large again costs more than smaller ones do. */
const SUCCESSES = 10

/** How many jobs to ask for at once: fewer after a batch that could not be read. */
export class BatchSize {
  #maxJobs = MAX_JOBS
  #successes = 0

  get maxJobs(): number {
    return this.#maxJobs
  }

  /** A batch came whole. Only full ones tell that a larger one may pass too. */
  came(jobCount: number): void {
    if (jobCount < this.#maxJobs || ++this.#successes < SUCCESSES) return
    this.#maxJobs = Math.min(MAX_JOBS, 2 * this.#maxJobs)
    this.#successes = 0
  }

  /** The answer to a take for so many could not be read. */
  broke(askedCount: number): void {
    this.#maxJobs = Math.max(1, Math.floor(askedCount / 2))
    this.#successes = 0
  }
}
