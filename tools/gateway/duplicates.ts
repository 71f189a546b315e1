import type { JobStore } from '../../src/transports/gateway/job-store.ts'

interface HandedOut {
  readonly jobId: string
  readonly workerId: string
  /** The job as it was handed out. */
  readonly item: object
}

const REMEMBERED = 200
/** How long after its completion a job is handed out once more: workers remember what they answered for a while. */
const RECENT_MS = 2000
/** Of duplicates that go to the worker that has the job already. */
const SAME_WORKER_SHARE = 0.8

/** Jobs that were handed out lately, to be handed out once more. */
export class Duplicates {
  readonly #store: JobStore
  readonly #now: () => number
  readonly #handedOut: HandedOut[] = []

  /** `now`: the store's clock. */
  constructor(store: JobStore, now: () => number) {
    this.#store = store
    this.#now = now
  }

  remember(handedOut: HandedOut): void {
    this.#handedOut.push(handedOut)
    if (this.#handedOut.length > REMEMBERED) this.#handedOut.shift()
  }

  /** `choice` in [0, 1) decides which. undefined: there is none. */
  pick(workerId: string, choice: number): HandedOut | undefined {
    const toSame = choice < SAME_WORKER_SHARE
    const fitting = this.#handedOut.filter(
      (one) => (one.workerId === workerId) === toSame && this.#isFresh(one.jobId),
    )
    // A digit of the choice that the comparison above did not use up.
    return fitting[Math.floor(((choice * 1000) % 1) * fitting.length)]
  }

  /** Its result would be taken, or would have been. One that failed may be run again: clients do retry those. */
  #isFresh(jobId: string): boolean {
    const job = this.#store.get(jobId)
    if (job?.status === 'IN_PROGRESS') return true
    return job?.status === 'COMPLETED' && this.#now() - (job.endedAt ?? 0) < RECENT_MS
  }
}
