import { ServerError } from '../../errors.ts'
import { LinkedList } from './linked-list.ts'
import type { StoredJob } from './stored-job.ts'

export interface QueueLimits {
  readonly maxQueuedJobs: number
  /** Of the bodies of jobs that wait or run, since all of them take memory. */
  readonly maxQueuedBytes: number
}

export interface OpenJobsOptions {
  readonly limits: QueueLimits
  /** Throws where no job is taken now. */
  readonly admit?: (() => void) | undefined
}

const RETRY_AFTER_MS = 1000

/** Jobs that have not ended: those that wait, in their order, and those that a worker has. */
export class OpenJobs {
  readonly #options: OpenJobsOptions
  readonly #queue = new LinkedList<StoredJob>()
  /** In the order in which they were taken. */
  readonly #running = new Set<StoredJob>()
  #bytes = 0

  constructor(options: OpenJobsOptions) {
    this.#options = options
  }

  /** The next to be taken. */
  get first(): StoredJob | undefined {
    return this.#queue.first
  }

  get counts(): { readonly inProgress: number; readonly inQueue: number } {
    return { inProgress: this.#running.size, inQueue: this.#queue.size }
  }

  /** Throws what `admit` throws, and `overloaded` where a job of this size has no room. */
  check(bytes: number): void {
    const { admit, limits } = this.#options
    admit?.()
    const { maxQueuedJobs, maxQueuedBytes } = limits
    const { size } = this.#queue
    if (size >= maxQueuedJobs) {
      throw new ServerError('overloaded', `${size} jobs wait; the queue holds at most ${maxQueuedJobs}`, {
        retryAfterMs: RETRY_AFTER_MS,
      })
    }
    if (this.#bytes + bytes > maxQueuedBytes) {
      throw new ServerError(
        'overloaded',
        `the jobs that wait or run hold ${this.#bytes} bytes; ${bytes} more would pass the limit of ${maxQueuedBytes}`,
        { retryAfterMs: RETRY_AFTER_MS },
      )
    }
  }

  add(job: StoredJob): void {
    this.#bytes += job.bytes
    this.#queue.pushBack(job)
  }

  /** `job` must wait. */
  start(job: StoredJob): void {
    this.#queue.remove(job)
    this.#running.add(job)
  }

  /** `job` must run; it becomes the next to be taken. */
  putBack(job: StoredJob): void {
    this.#running.delete(job)
    this.#queue.pushFront(job)
  }

  remove(job: StoredJob): void {
    this.#bytes -= job.bytes
    if (!this.#running.delete(job)) this.#queue.remove(job)
  }

  waiting(): StoredJob[] {
    return [...this.#queue]
  }

  runningAt(workerId: string): StoredJob[] {
    return [...this.#running].filter((job) => job.workerId === workerId)
  }
}
