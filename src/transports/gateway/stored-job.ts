import { ServerError } from '../../errors.ts'
import type { Timed } from './deadlines.ts'
import type { Job, JobPolicy, S3Config } from './job.ts'
import { isEnded, mayRetry } from './job.ts'
import type { Linked } from './linked-list.ts'
import type { Wish } from './waiting-line.ts'
import { WaitingLine } from './waiting-line.ts'

/** A job as it comes from a client. */
export interface Submission {
  /** Any JSON. */
  readonly input: unknown
  readonly policy: JobPolicy
  readonly sync: boolean
  /** Of the request's body: what the input takes in memory, roughly. */
  readonly bytes: number
  readonly webhook?: string | undefined
  readonly s3Config?: S3Config | undefined
}

/** What a reader of a job's stream gets: every chunk is handed out once. */
export interface StreamPart {
  readonly job: Job
  /** JSON in UTF-8. */
  readonly chunks: readonly Uint8Array[]
}

/** A job with what only the store itself needs to know. */
export interface StoredJob extends Mutable<Job>, Linked<StoredJob>, Timed {
  readonly bytes: number
  retentionMs: number
  /** The worker from which it was taken away. */
  lostBy: string | undefined
  /** What is kept of it after its end, in bytes. */
  keptBytes: number
  chunks: Uint8Array[]
  known: boolean
  readonly ends: WaitingLine<Job | undefined>
  readonly readers: WaitingLine<StreamPart | undefined>
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

export interface NewJob extends Submission {
  readonly id: string
  readonly submittedAt: number
  readonly retentionMs: number
}

export function newJob({ id, submittedAt, retentionMs, ...submission }: NewJob): StoredJob {
  const { input, policy, sync, bytes, webhook, s3Config } = submission
  return {
    id,
    status: 'IN_QUEUE',
    input,
    webhook,
    policy,
    s3Config,
    sync,
    submittedAt,
    startedAt: undefined,
    endedAt: undefined,
    workerId: undefined,
    output: undefined,
    error: undefined,
    retries: 0,
    bytes,
    retentionMs,
    lostBy: undefined,
    keptBytes: 0,
    chunks: [],
    known: true,
    ends: new WaitingLine(),
    readers: new WaitingLine(),
    previous: undefined,
    next: undefined,
    deadline: 0,
    heapIndex: -1,
  }
}

/** Throws `invalid_request` where a job may not be tried again. */
export function checkRetry(job: StoredJob): void {
  if (mayRetry(job)) return
  const { id, status } = job
  throw new ServerError('invalid_request', `job ${id} is ${status}; only FAILED and TIMED_OUT are retried`)
}

/** As it was before any worker had it. */
export function clearRun(job: StoredJob): void {
  job.status = 'IN_QUEUE'
  job.startedAt = undefined
  job.endedAt = undefined
  job.workerId = undefined
  job.output = undefined
  job.error = undefined
  job.chunks = []
}

/** What the wait for a job's end brings; undefined once the job is gone. */
export function endWish(job: StoredJob): Wish<Job | undefined> {
  return {
    serve: () => (isEnded(job) ? job : undefined),
    otherwise: () => (job.known ? job : undefined),
  }
}

/** What a read of a job's stream brings: its chunks, or that there will be no more. */
export function readWish(job: StoredJob): Wish<StreamPart | undefined> {
  const part = (): StreamPart => ({ job, chunks: job.chunks.splice(0) })
  return {
    serve: () => (job.chunks.length > 0 || isEnded(job) ? part() : undefined),
    otherwise: () => (job.known ? part() : undefined),
  }
}

/** Tells everyone who waits for the job that there will be nothing. */
export function endWaits({ ends, readers }: StoredJob): void {
  ends.end()
  readers.end()
}
