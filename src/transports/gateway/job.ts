import type { EncodedOutput } from '../runpod/job-source.ts'

/**
 * `IN_QUEUE` → `IN_PROGRESS` when a worker takes it, and back when that worker dies; the other four are ends, of which
 * `FAILED` and `TIMED_OUT` may be tried again.
 */
export type JobStatus = 'IN_QUEUE' | 'IN_PROGRESS' | 'COMPLETED' | 'FAILED' | 'CANCELLED' | 'TIMED_OUT'

/** In milliseconds, and named as in the request. */
export interface JobPolicy {
  /** From pick-up; over it the job is TIMED_OUT. */
  readonly executionTimeout: number
  /** From submission; after it the job is gone, even while it runs. */
  readonly ttl: number
  readonly lowPriority: boolean
}

/** A client's own bucket for large results. */
export interface S3Config {
  readonly accessId: string
  readonly accessSecret: string
  readonly bucketName: string
  readonly endpointUrl: string
  readonly objectPath?: string | undefined
}

/** A job as the store tells of it. It is live: whoever needs a moment's state across an `await` copies it. */
export interface Job {
  readonly id: string
  readonly status: JobStatus
  /** Any JSON. Gone (undefined) once the job has ended in a way that no retry may follow. */
  readonly input: unknown
  readonly webhook: string | undefined
  readonly policy: JobPolicy
  readonly s3Config: S3Config | undefined
  /** Whether a client waits for it: decides how long its result is kept. */
  readonly sync: boolean
  /** Times by the store's clock, in milliseconds. */
  readonly submittedAt: number
  readonly startedAt: number | undefined
  readonly endedAt: number | undefined
  /** The worker that has it, or had it at its end. */
  readonly workerId: string | undefined
  /** While it runs: how far it is, as the worker tells. */
  readonly output: EncodedOutput | undefined
  readonly error: string | undefined
  /** Times that it was put back into the queue. */
  readonly retries: number
}

/** How a worker says a job ended: FAILED with an error, else COMPLETED. */
export interface JobOutcome {
  readonly output?: EncodedOutput | undefined
  readonly error?: string | undefined
}

export interface JobCounts {
  /** Since the store was made; a job that was tried again may count in both. */
  readonly completed: number
  readonly failed: number
  /** Times that a job was put back into the queue. */
  readonly retried: number
  readonly inProgress: number
  readonly inQueue: number
}

export function isEnded({ status }: Pick<Job, 'status'>): boolean {
  return status !== 'IN_QUEUE' && status !== 'IN_PROGRESS'
}

export function mayRetry({ status }: Pick<Job, 'status'>): boolean {
  return status === 'FAILED' || status === 'TIMED_OUT'
}
