/** The state machine of a gateway's jobs: who may do what to which, and for how long it is known. No HTTP in it. */
import { randomUUID } from 'node:crypto'
import { stopping } from '../../errors.ts'
import type { EncodedOutput } from '../runpod/job-source.ts'
import { Deadlines } from './deadlines.ts'
import type { Job, JobCounts, JobOutcome, JobStatus } from './job.ts'
import { isEnded, mayRetry } from './job.ts'
import type { KeepLimits } from './kept-jobs.ts'
import { KeptJobs } from './kept-jobs.ts'
import type { QueueLimits } from './open-jobs.ts'
import { OpenJobs } from './open-jobs.ts'
import type { StoredJob, StreamPart, Submission } from './stored-job.ts'
import { checkRetry, clearRun, endWaits, endWish, newJob, readWish } from './stored-job.ts'
import type { WaitOptions, Wish } from './waiting-line.ts'
import { WaitingLine } from './waiting-line.ts'
import { WorkerStops } from './worker-stops.ts'

export interface JobStoreOptions {
  /** Milliseconds, of any clock that goes forward. */
  readonly now: () => number
  /** Over the queue's, jobs are refused; over those of what is kept, the jobs that ended first are forgotten early. */
  readonly limits: QueueLimits & KeepLimits
  /** How long a job's result is kept from its end on; as on the platform unless told. */
  readonly retentionMs?: { readonly async: number; readonly sync: number } | undefined
  /** Throws where no job is taken now. */
  readonly admit?: (() => void) | undefined
  /** Told of every job that a client puts into the queue, for the first time or for another try. Must not throw. */
  readonly onQueue?: ((job: Job) => void) | undefined
  /** Told of every job that reaches an end, while its input is still there. Must not throw. */
  readonly onEnd?: ((job: Job) => void) | undefined
  /** Unique texts; UUIDs unless told. */
  readonly newId?: (() => string) | undefined
}

const RETENTION_MS = { async: 30 * 60_000, sync: 60_000 }
const SWEEP_INTERVAL_MS = 250

export class JobStore {
  readonly #options: JobStoreOptions
  readonly #jobs = new Map<string, StoredJob>()
  readonly #open: OpenJobs
  readonly #kept: KeptJobs
  readonly #deadlines = new Deadlines<StoredJob>()
  readonly #takers = new WaitingLine<readonly Job[]>()
  readonly #stops = new WorkerStops()
  readonly #timer: NodeJS.Timeout
  readonly #totals = { completed: 0, failed: 0, retried: 0 }
  #closed = false

  constructor(options: JobStoreOptions) {
    this.#options = options
    this.#open = new OpenJobs(options)
    this.#kept = new KeptJobs(options.limits)
    this.#timer = setInterval(() => this.sweep(), SWEEP_INTERVAL_MS).unref()
  }

  /** Throws `overloaded` where the queue is full, `stopping` once closed, and what `admit` throws. */
  submit(submission: Submission): Job {
    if (this.#closed) throw stopping()
    this.#open.check(submission.bytes)
    const { newId = randomUUID, now, retentionMs = RETENTION_MS } = this.#options
    const job = newJob({
      ...submission,
      id: `${submission.sync ? 'sync-' : ''}${newId()}-u1`,
      submittedAt: now(),
      retentionMs: submission.sync ? retentionMs.sync : retentionMs.async,
    })
    this.#jobs.set(job.id, job)
    this.#options.onQueue?.(job)
    this.#open.add(job)
    this.#deadlines.set(job, job.submittedAt + job.policy.ttl)
    this.#takers.wake()
    return job
  }

  get(id: string): Job | undefined {
    return this.#jobs.get(id)
  }

  /**
   * Hands out 1 to `count` jobs, first come first served on both sides; none where the wait ended without. Rejects with
   * `cancelled` where the signal ends the wait: then no job was handed out. Rejects with `stopping` once closed.
   */
  async take(
    count: number,
    { workerId, ...wait }: WaitOptions & { readonly workerId: string },
  ): Promise<readonly Job[]> {
    if (this.#closed) throw stopping()
    return this.#takers.wait({ serve: () => this.#handOut(count, workerId), otherwise: () => [] }, wait)
  }

  /**
   * Ignored where the job is unknown or has ended, or waits and was never taken from this worker: the late result of an
   * earlier try. A job that was taken from a worker thought dead is ended by its result all the same.
   */
  finish(id: string, workerId: string, { output, error }: JobOutcome): 'accepted' | 'ignored' {
    const job = this.#jobs.get(id)
    if (job === undefined || isEnded(job)) return 'ignored'
    if (job.status === 'IN_QUEUE') {
      if (job.lostBy !== workerId) return 'ignored'
      this.#start(job, workerId)
    }
    job.workerId = workerId
    job.output = output
    job.error = error
    this.#end(job, error === undefined ? 'COMPLETED' : 'FAILED')
    return 'accepted'
  }

  /** Replaces what the status of a running job shows as its output. */
  progress(id: string, output: EncodedOutput): void {
    const job = this.#jobs.get(id)
    if (job?.status === 'IN_PROGRESS') job.output = output
  }

  /** `chunk`: JSON of what the stream shall show, `{"output":…}`. */
  addChunk(id: string, chunk: Uint8Array): void {
    const job = this.#jobs.get(id)
    if (job?.status !== 'IN_PROGRESS') return
    job.chunks.push(chunk)
    job.readers.wake()
  }

  /** Chunks that came since the last call, as soon as there are some or the job has ended. undefined: unknown job. */
  async stream(id: string, wait: WaitOptions): Promise<StreamPart | undefined> {
    const job = this.#jobs.get(id)
    return job && this.#waitOn(job.readers, readWish(job), wait)
  }

  /** Resolves with the job when it has ended, or when the wait has; with undefined where it is unknown, or gone since. */
  async waitForEnd(id: string, wait: WaitOptions): Promise<Job | undefined> {
    const job = this.#jobs.get(id)
    return job && this.#waitOn(job.ends, endWish(job), wait)
  }

  /** The job as it is then: one that has ended stays as it was. undefined: unknown job. */
  cancel(id: string): Job | undefined {
    const job = this.#jobs.get(id)
    if (job !== undefined && !isEnded(job)) this.#end(job, 'CANCELLED')
    return job
  }

  /** Back into the queue, its old result dropped. undefined: unknown job. Throws `invalid_request` where it may not be. */
  retry(id: string): Job | undefined {
    const job = this.#jobs.get(id)
    if (job === undefined) return undefined
    checkRetry(job)
    if (this.#closed) throw stopping()
    this.#open.check(job.bytes)
    this.#kept.remove(job)
    // A worker that is to stop the old run must not stop the new one.
    if (job.workerId !== undefined) this.#stops.withdraw(job.workerId, id)
    job.lostBy = undefined
    job.submittedAt = this.#options.now()
    this.#options.onQueue?.(job)
    this.#open.add(job)
    this.#tryAgain(job)
    this.#takers.wake()
    return job
  }

  /** Cancels all jobs that wait; says how many. */
  purge(): number {
    const waiting = this.#open.waiting()
    for (const job of waiting) this.#end(job, 'CANCELLED')
    return waiting.length
  }

  /** Jobs that a worker has, all or those named, go to the front of the queue. Says which. */
  requeue(workerId: string, ids?: readonly string[]): readonly string[] {
    if (ids === undefined) this.#stops.forget(workerId)
    const lost = this.#open.runningAt(workerId).filter(({ id }) => ids?.includes(id) ?? true)
    for (const job of lost.toReversed()) {
      this.#open.putBack(job)
      job.lostBy = workerId
      this.#tryAgain(job)
    }
    this.#takers.wake()
    return lost.map(({ id }) => id)
  }

  /** Ids of jobs that a worker shall stop, as soon as there are some; none where the wait ended without. */
  async nextStops(workerId: string, wait: WaitOptions): Promise<readonly string[]> {
    if (this.#closed) throw stopping()
    return this.#stops.next(workerId, wait)
  }

  /** How long a job's result is kept from its end on, instead of what its kind is given. */
  keepFor(id: string, retentionMs: number): void {
    const job = this.#jobs.get(id)
    if (job === undefined) return
    job.retentionMs = retentionMs
    if (job.endedAt !== undefined) this.#deadlines.set(job, job.endedAt + retentionMs)
  }

  counts(): JobCounts {
    return { ...this.#totals, ...this.#open.counts }
  }

  /** Known jobs, in the order in which they were submitted. */
  list({ offset, limit }: { readonly offset: number; readonly limit: number }): readonly Job[] {
    return this.#jobs.values().drop(offset).take(limit).toArray()
  }

  /** Ends and forgets what is due: ttl, executionTimeout, retention. A timer calls it, four times a second. */
  sweep(): void {
    const now = this.#options.now()
    for (let job = this.#deadlines.takeDue(now); job !== undefined; job = this.#deadlines.takeDue(now)) {
      const { ttl, executionTimeout } = job.policy
      if (job.status !== 'IN_PROGRESS' || now >= job.submittedAt + ttl) {
        this.#forget(job)
      } else {
        job.error = `the job ran longer than ${executionTimeout} ms, its executionTimeout`
        this.#end(job, 'TIMED_OUT')
      }
    }
  }

  /** Ends every wait, and takes no more jobs. What is known can still be read. */
  close(): void {
    this.#closed = true
    clearInterval(this.#timer)
    this.#takers.end()
    this.#stops.close()
    for (const job of this.#jobs.values()) endWaits(job)
  }

  get closed(): boolean {
    return this.#closed
  }

  #tryAgain(job: StoredJob): void {
    clearRun(job)
    job.retries++
    this.#totals.retried++
    this.#deadlines.set(job, job.submittedAt + job.policy.ttl)
  }

  #handOut(count: number, workerId: string): readonly Job[] | undefined {
    const jobs: StoredJob[] = []
    for (let job = this.#open.first; job !== undefined && jobs.length < count; job = this.#open.first) {
      this.#start(job, workerId)
      jobs.push(job)
    }
    return jobs.length === 0 ? undefined : jobs
  }

  #start(job: StoredJob, workerId: string): void {
    const { executionTimeout, ttl } = job.policy
    this.#open.start(job)
    job.status = 'IN_PROGRESS'
    job.startedAt = this.#options.now()
    job.workerId = workerId
    this.#deadlines.set(job, Math.min(job.submittedAt + ttl, job.startedAt + executionTimeout))
  }

  #end(job: StoredJob, status: JobStatus): void {
    if (status === 'CANCELLED' || status === 'TIMED_OUT') {
      this.#tellToStop(job)
      // What it showed of itself so far is no result.
      job.output = undefined
    }
    this.#leave(job)
    job.status = status
    job.endedAt = this.#options.now()
    if (status === 'COMPLETED') this.#totals.completed++
    if (mayRetry(job)) this.#totals.failed++
    this.#deadlines.set(job, job.endedAt + job.retentionMs)
    this.#kept.add(job)
    this.#options.onEnd?.(job)
    if (!mayRetry(job)) job.input = undefined
    job.ends.wake()
    job.readers.wake()
    for (let old = this.#kept.surplus; old !== undefined; old = this.#kept.surplus) this.#forget(old)
  }

  #forget(job: StoredJob): void {
    this.#tellToStop(job)
    this.#leave(job)
    this.#deadlines.delete(job)
    this.#jobs.delete(job.id)
    job.known = false
    endWaits(job)
  }

  /** Takes a job out of the place that its status puts it in. */
  #leave(job: StoredJob): void {
    if (isEnded(job)) this.#kept.remove(job)
    else this.#open.remove(job)
  }

  #tellToStop({ status, workerId, id }: StoredJob): void {
    if (status === 'IN_PROGRESS' && workerId !== undefined) this.#stops.add(workerId, id)
  }

  async #waitOn<T>(line: WaitingLine<T>, wish: Wish<T>, wait: WaitOptions): Promise<T> {
    return this.#closed ? (wish.serve() ?? wish.otherwise()) : line.wait(wish, wait)
  }
}
