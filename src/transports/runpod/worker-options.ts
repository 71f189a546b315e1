import type { Log } from '../../base/log.ts'
import type { Deliver } from './deliver.ts'
import type { Heartbeat } from './heartbeat.ts'
import type { JobResult } from './job.ts'
import type { JobSource } from './job-source.ts'
import type { Job } from './taken-job.ts'

export interface RunJobOptions {
  readonly signal: AbortSignal
  /** Items done, of how many. */
  readonly onProgress: (done: number, total: number) => void
}

export interface JobEnd {
  /**
   * `stopped`: by the platform, or for want of time when the worker stops. `unwanted`: the platform no longer knows the job.
   * `lost`: the result could not be given back.
   */
  readonly outcome: 'completed' | 'failed' | 'stopped' | 'unwanted' | 'lost'
  readonly ms: number
}

export interface QueueWorkerOptions {
  readonly source: JobSource
  readonly run: (job: Job, options: RunJobOptions) => Promise<JobResult>
  readonly deliver: Deliver
  /** Told of all jobs held; what it is given is read later. */
  readonly heartbeat?: Pick<Heartbeat, 'setJobs'> | undefined
  /** A job waits for room in the engine's queue: another would only wait behind it. */
  readonly isFull: () => boolean
  readonly maxConcurrency: number
  /** The platform replaces this worker after the jobs that it takes first. */
  readonly refreshWorker: boolean
  /** The engine can't be revived: the platform shall replace this worker. */
  readonly isBroken?: () => boolean
  readonly log: Log
  readonly onJobEnd?: ((end: JobEnd) => void) | undefined
  /** Milliseconds, from any fixed point. */
  readonly now?: () => number
}
