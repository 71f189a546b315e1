/** Takes jobs, runs them side by side, and gives their results back; it does not know where they come from. */
import { setImmediate } from 'node:timers/promises'
import PQueue from 'p-queue'
import { pause } from '../../base/abort.ts'
import { messageOf } from '../../errors.ts'
import { ResultReplaced } from './job-source.ts'
import type { EncodedOutcome } from './job-source.ts'
import { Outage } from './outage.ts'
import { JobProgress } from './progress.ts'
import type { JobEnd, QueueWorkerOptions } from './worker-options.ts'
import { RecentIds } from './recent-ids.ts'
import { RetryLater } from './retry-later.ts'
import type { Job } from './taken-job.ts'
import { readTakenJob } from './taken-job.ts'

interface HeldJob {
  readonly id: string
  readonly controller: AbortController
  readonly progress: JobProgress
  readonly startMs: number
  /** Of the result, from when it is there until it is given back. */
  resultBytes: number
}

/** A platform may deliver a job twice; a later one of the same id is a client's retry. */
const ANSWERED_MS = 30_000
const MAX_ANSWERED = 50_000

/** While the platform takes no results they pile up: beyond this no job is taken, since it would only add to them. */
const MAX_RESULT_BYTES = 256_000_000

/** Where a source does not say. */
const RETRY_MS = 1000

export class QueueWorker {
  readonly #options: QueueWorkerOptions
  readonly #now: () => number
  readonly #jobs = new Map<string, HeldJob>()
  readonly #answered: RecentIds
  /** Aborted: no more is taken. */
  readonly #taking = new AbortController()
  /** Aborted: it is over, whatever is still under way. */
  readonly #over = new AbortController()
  readonly #ended = Promise.withResolvers<void>()
  #jobEnd = Promise.withResolvers<void>()
  readonly #slots: PQueue
  /** Of all results not given back yet. */
  #resultBytes = 0

  constructor(options: QueueWorkerOptions) {
    const { now = () => performance.now() } = options
    this.#options = options
    this.#slots = new PQueue({ concurrency: options.maxConcurrency })
    this.#now = now
    this.#answered = new RecentIds({ keepMs: ANSWERED_MS, maxIds: MAX_ANSWERED, now })
  }

  get jobCount(): number {
    return this.#jobs.size
  }

  /** Resolves when the worker has been drained, or leaves its loop because it is to be replaced. Never rejects. */
  async run(): Promise<void> {
    void this.#takeAll()
    void this.#watchStops()
    await this.#ended.promise
    this.#over.abort()
  }

  /**
   * Takes no more jobs. Resolves when those in hand are answered, after `graceMs` at most: what is left then is not
   * answered, so that the platform gives it to another worker.
   */
  async drain(graceMs: number): Promise<void> {
    const { log } = this.#options
    log('info', { event: 'drain_started', jobs: this.#jobs.size, graceMs })
    this.#taking.abort()
    this.#wake()
    const timer = setTimeout(() => this.#ended.resolve(), graceMs)
    await this.#ended.promise
    clearTimeout(timer)
    this.#over.abort()
    const left = [...this.#jobs.values()]
    for (const held of left) this.#drop(held)
    log(left.length > 0 ? 'warn' : 'info', { event: 'drain_done', left: left.map(({ id }) => id) })
  }

  async #takeAll(): Promise<void> {
    const { refreshWorker, isBroken, log } = this.#options
    const { signal } = this.#taking
    const outage = new Outage(this.#now)
    while (!signal.aborted && isBroken?.() !== true) {
      if (!this.#hasRoom()) {
        await this.#jobEnd.promise
        continue
      }
      try {
        await this.#take()
        outage.end()
        if (refreshWorker && this.#jobs.size > 0) break
        // The jobs just begun have their chance to fill the engine's queue, and the loop never starves the rest.
        await setImmediate()
      } catch (error) {
        if (signal.aborted) break
        const { retryMs, status, count } = this.#failed(error, outage)
        if (count !== undefined) {
          const level = status !== undefined && status < 500 && status !== 429 ? 'error' : 'warn'
          log(level, { event: 'take_failed', status, error: messageOf(error), retryMs, count })
        }
        await pause(retryMs, signal)
      }
    }
    while (this.#jobs.size > 0) await this.#jobEnd.promise
    this.#ended.resolve()
  }

  #hasRoom(): boolean {
    const { maxConcurrency, isFull } = this.#options
    if (this.#jobs.size === 0) return true
    return this.#jobs.size < maxConcurrency && this.#resultBytes < MAX_RESULT_BYTES && !isFull()
  }

  /** Apart from the loop, whose long waits would keep the jobs' inputs. */
  async #take(): Promise<void> {
    const { source, maxConcurrency } = this.#options
    const heldCount = this.#jobs.size
    const options = { jobsInProgress: heldCount > 0, signal: this.#taking.signal }
    for (const item of await source.take(maxConcurrency - heldCount, options)) this.#accept(item)
  }

  async #watchStops(): Promise<void> {
    const { source, log } = this.#options
    const { signal } = this.#over
    const outage = new Outage(this.#now)
    while (!signal.aborted) {
      try {
        for (const id of await source.stopped(signal)) this.#stop(id)
        outage.end()
        await setImmediate()
      } catch (error) {
        if (signal.aborted) break
        const { retryMs, status, count } = this.#failed(error, outage)
        if (count !== undefined) {
          // Not every platform has a stop channel: its absence is no cause for alarm.
          const level = status === 404 || status === 405 ? 'info' : 'warn'
          log(level, { event: 'stop_failed', status, error: messageOf(error), retryMs, count })
        }
        await pause(retryMs, signal)
      }
    }
  }

  #failed(error: unknown, outage: Outage) {
    const later = error instanceof RetryLater ? error : undefined
    return { retryMs: Math.round(later?.retryMs ?? RETRY_MS), status: later?.status, count: outage.fail() }
  }

  /** More jobs than there are slots are kept and run in their turn: whoever gave them counts on it. */
  #accept(item: unknown): void {
    const { log, source } = this.#options
    // Given to another worker already.
    if (this.#over.signal.aborted) return
    const found = readTakenJob(item)
    if (typeof found === 'string') {
      log('error', { event: 'job_malformed', reason: found })
      return
    }
    const { id, job } = found
    const isHeld = this.#jobs.has(id)
    if (isHeld || this.#answered.has(id)) {
      log('warn', { event: 'job_duplicate', jobId: id, state: isHeld ? 'under way' : 'answered' })
      return
    }
    const progress = new JobProgress((output) => source.progress(id, output))
    const held = { id, controller: new AbortController(), progress, startMs: this.#now(), resultBytes: 0 }
    this.#jobs.set(id, held)
    this.#tellHeartbeat()
    log('debug', { event: 'job_taken', jobId: id })
    let waiting: Job | undefined = job
    void this.#slots.add(() => {
      // This function is kept until the result is through; the input shall not be.
      const given = waiting ?? {}
      waiting = undefined
      return this.#finish(held, this.#outcomeOf(held, given))
    })
  }

  /**
   * Gives the result back. Never rejects. What a job does after it was dropped concerns nobody. The job itself is not known
   * here: a result may wait for long, and its input shall not.
   */
  async #finish(held: HeldJob, result: Promise<EncodedOutcome>): Promise<void> {
    const { id, controller } = held
    const { source, log, refreshWorker, isBroken } = this.#options
    const { signal } = controller
    let end: JobEnd['outcome'] = 'lost'
    try {
      const outcome = await result
      if (signal.aborted) return
      const bytes = sizeOf(outcome)
      held.resultBytes = bytes
      this.#resultBytes += bytes
      const stopPod = refreshWorker || isBroken?.() === true
      const receipt = await source.finish(id, { outcome, stopPod }, signal)
      if (signal.aborted) return
      if (receipt === 'unwanted') end = receipt
      else end = 'error' in outcome ? 'failed' : 'completed'
      // Any other one is run again where it comes again: clients may retry it.
      if (end === 'completed') this.#answered.add(id)
      const ms = Math.round(this.#now() - held.startMs)
      log('info', { event: 'job_done', jobId: id, ms, bytes, outcome: end })
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof ResultReplaced) end = 'failed'
      else log('error', { event: 'result_lost', jobId: id, error: messageOf(error) })
    } finally {
      if (!signal.aborted) this.#release(held, end)
    }
  }

  /** Whatever goes wrong fails the job: it must be answered. */
  async #outcomeOf({ id, controller, progress }: HeldJob, job: Job): Promise<EncodedOutcome> {
    const { run, deliver } = this.#options
    const { signal } = controller
    try {
      const result = await run(job, { signal, onProgress: progress.report })
      return await deliver({ jobId: id, job, result, signal })
    } catch (error) {
      return { error: messageOf(error) }
    } finally {
      await progress.end()
    }
  }

  #stop(id: string): void {
    const held = this.#jobs.get(id)
    if (held === undefined) return
    this.#options.log('info', { event: 'job_stopped', jobId: id })
    this.#drop(held)
  }

  #drop(held: HeldJob): void {
    held.controller.abort()
    void held.progress.end()
    this.#release(held, 'stopped')
  }

  #release(held: HeldJob, outcome: JobEnd['outcome']): void {
    this.#jobs.delete(held.id)
    this.#resultBytes -= held.resultBytes
    this.#tellHeartbeat()
    this.#options.onJobEnd?.({ outcome, ms: this.#now() - held.startMs })
    this.#wake()
  }

  #tellHeartbeat(): void {
    this.#options.heartbeat?.setJobs(this.#jobs.keys())
  }

  #wake(): void {
    this.#jobEnd.resolve()
    this.#jobEnd = Promise.withResolvers()
  }
}

function sizeOf(outcome: EncodedOutcome): number {
  return 'error' in outcome ? Buffer.byteLength(outcome.error) : outcome.output.json.byteLength
}
