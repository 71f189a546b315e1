import { mayRetry } from './job.ts'
import { LinkedList } from './linked-list.ts'
import type { StoredJob } from './stored-job.ts'

export interface KeepLimits {
  readonly maxKeptJobs: number
  readonly maxKeptBytes: number
}

/** Jobs that have ended and can still be asked for, in the order in which they ended. */
export class KeptJobs {
  readonly #limits: KeepLimits
  readonly #jobs = new LinkedList<StoredJob>()
  #bytes = 0

  constructor(limits: KeepLimits) {
    this.#limits = limits
  }

  add(job: StoredJob): void {
    job.keptBytes = heldBytes(job)
    this.#bytes += job.keptBytes
    this.#jobs.pushBack(job)
  }

  remove(job: StoredJob): void {
    this.#bytes -= job.keptBytes
    this.#jobs.remove(job)
  }

  /** The job to forget next, while there are too many; the last one stays, however large it is. */
  get surplus(): StoredJob | undefined {
    const { maxKeptJobs, maxKeptBytes } = this.#limits
    const tooMany = this.#jobs.size > maxKeptJobs || this.#bytes > maxKeptBytes
    return tooMany && this.#jobs.size > 1 ? this.#jobs.first : undefined
  }
}

function heldBytes(job: StoredJob): number {
  const chunkBytes = job.chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0)
  return (job.output?.json.byteLength ?? 0) + chunkBytes + (mayRetry(job) ? job.bytes : 0)
}
