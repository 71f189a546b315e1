/** Which workers live, and what they are believed to work on. */

export interface FleetOptions {
  /** A worker silent for longer is taken for dead, a job unlisted for longer for not received. */
  readonly pingTimeoutMs: number
  /** A clock in milliseconds that does not jump. */
  readonly now: () => number
  /** Takes jobs away from a worker: all, or those named. */
  readonly requeue: (workerId: string, jobIds?: readonly string[]) => void
  /** Told of a job that is taken away because its worker does not list it. */
  readonly onUnlisted: (workerId: string, jobId: string) => void
}

export interface FleetCounts {
  readonly idle: number
  readonly running: number
  readonly unhealthy: number
}

interface Worker {
  /** Undefined: no ping yet. What never pings is never missed. */
  pingedAtMs: number | undefined
  seenAtMs: number
  /** Job → when it was handed out, arrived, or was listed in a ping. */
  readonly held: Map<string, number>
}

/** Longer than any poll: whoever has not asked for so long is not there. */
const FORGET_MS = 120_000

export class Fleet {
  readonly #options: FleetOptions
  readonly #workers = new Map<string, Worker>()
  /** Job → who has it. */
  readonly #holders = new Map<string, Worker>()
  /** Processes that are known to have ended. */
  readonly #dead = new Set<string>()

  constructor(options: FleetOptions) {
    this.#options = options
  }

  /** Any request of a worker but a ping. */
  seen(workerId: string): void {
    this.#workerOf(workerId).seenAtMs = this.#options.now()
  }

  handedOut(workerId: string, jobId: string): void {
    const worker = this.#workerOf(workerId)
    worker.held.set(jobId, this.#options.now())
    this.#holders.set(jobId, worker)
  }

  /** The answer that it was in was written to its end. */
  arrived(workerId: string, jobId: string): void {
    const held = this.#workers.get(workerId)?.held
    if (held?.has(jobId) === true) held.set(jobId, this.#options.now())
  }

  /** The job has ended, or was taken away. */
  released(jobId: string): void {
    this.#holders.get(jobId)?.held.delete(jobId)
    this.#holders.delete(jobId)
  }

  /**
   * A job that a living worker has not listed for too long never reached it, or was dropped by it. Only pings that came
   * count: those that were lost say nothing.
   */
  pinged(workerId: string, jobIds: readonly string[]): void {
    const { now, pingTimeoutMs, onUnlisted } = this.#options
    const worker = this.#workerOf(workerId)
    const nowMs = now()
    worker.pingedAtMs = nowMs
    worker.seenAtMs = nowMs
    for (const id of jobIds) if (worker.held.has(id)) worker.held.set(id, nowMs)
    const missing = [...worker.held]
      .filter(([, sinceMs]) => nowMs - sinceMs > pingTimeoutMs)
      .map(([id]) => id)
    for (const id of missing) onUnlisted(workerId, id)
    if (missing.length > 0) this.takeAway(workerId, missing)
  }

  /** It has none of them. */
  takeAway(workerId: string, jobIds: readonly string[]): void {
    for (const id of jobIds) this.released(id)
    this.#options.requeue(workerId, jobIds)
  }

  hasPinged(workerId: string): boolean {
    return this.#workers.get(workerId)?.pingedAtMs !== undefined
  }

  /** Its process has ended. The id is not used again. May be told twice. */
  died(workerId: string): void {
    this.#dead.add(workerId)
    const worker = this.#workers.get(workerId)
    this.#workers.delete(workerId)
    if (worker !== undefined) this.#takeAll(workerId, worker)
  }

  isDead(workerId: string): boolean {
    return this.#dead.has(workerId)
  }

  /** To be called a few times in every ping timeout. */
  sweep(): void {
    const nowMs = this.#options.now()
    for (const [id, worker] of this.#workers) {
      // It may have a poll open still, and be given more: it stays known as silent.
      if (worker.held.size > 0 && this.#isSilent(worker)) this.#takeAll(id, worker)
      else if (worker.held.size === 0 && nowMs - worker.seenAtMs > FORGET_MS) this.#workers.delete(id)
    }
  }

  counts(): FleetCounts {
    const workers = [...this.#workers.values()]
    const unhealthy = workers.filter((worker) => this.#isSilent(worker)).length
    const running = workers.filter((worker) => worker.held.size > 0 && !this.#isSilent(worker)).length
    return { idle: workers.length - running - unhealthy, running, unhealthy }
  }

  #isSilent({ pingedAtMs }: Worker): boolean {
    const { now, pingTimeoutMs } = this.#options
    return pingedAtMs !== undefined && now() - pingedAtMs > pingTimeoutMs
  }

  #takeAll(workerId: string, { held }: Worker): void {
    for (const jobId of held.keys()) this.#holders.delete(jobId)
    held.clear()
    this.#options.requeue(workerId)
  }

  #workerOf(workerId: string): Worker {
    let worker = this.#workers.get(workerId)
    if (worker === undefined) {
      worker = { pingedAtMs: undefined, seenAtMs: this.#options.now(), held: new Map() }
      this.#workers.set(workerId, worker)
    }
    return worker
  }
}
