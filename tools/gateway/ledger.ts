/** Who was given what, and what came back: proves that no job was lost or doubled. See `verdicts.ts` for what is proof. */
import { createHash } from 'node:crypto'
import type { JobStatus } from '../../src/transports/gateway/job.ts'
import type { FaultKind } from './faults.ts'
import type { Delivery, JobEntry, ResultPost, Sent } from './job-entry.ts'
import { newEntry } from './job-entry.ts'
import type { Lifetimes } from './verdicts.ts'
import { abandonmentsOf, lossOf, secondAnswerOf, secondRunsOf } from './verdicts.ts'

export interface Verdict {
  readonly id: string
  readonly why: string
}

export interface LedgerReport {
  readonly submitted: number
  /** Jobs that ended, and kept what their worker sent. */
  readonly answered: number
  readonly lost: readonly Verdict[]
  readonly answeredTwice: readonly Verdict[]
  readonly runTwice: readonly Verdict[]
  readonly abandoned: readonly Verdict[]
  /** Times that a job was taken away from a worker. */
  readonly requeued: number
  /** Jobs handed out in earnest or doubled. */
  readonly deliveries: number
  readonly results: number
  readonly faultsInjected: Readonly<Partial<Record<FaultKind, number>>>
}

/** A process that was stopped for seconds may give up answers that it has already received. */
const BEFORE_FREEZE_MS = 1000
const AFTER_THAW_MS = 10_000

export class Ledger {
  readonly #now: () => number
  readonly #jobs = new Map<string, JobEntry>()
  readonly #faults = new Map<FaultKind, number>()
  readonly #kills = new Map<string, number>()
  readonly #freezes = new Map<string, { readonly fromMs: number; toMs: number }[]>()

  readonly #lifetimes: Lifetimes = {
    killedAtMs: (workerId) => this.#kills.get(workerId) ?? Infinity,
    isFrozen: (workerId, atMs) =>
      this.#freezes.get(workerId)?.some(({ fromMs, toMs }) => atMs >= fromMs && atMs <= toMs) ?? false,
  }

  /** `now`: a clock in milliseconds that does not jump. */
  constructor(now: () => number) {
    this.#now = now
  }

  /** A client put it into the queue, for the first time or for another try. */
  queued(jobId: string): void {
    const entry = this.#jobs.get(jobId)
    if (entry === undefined) this.#jobs.set(jobId, newEntry())
    else {
      entry.queued++
      entry.answers.clear()
      entry.spoiled = undefined
    }
  }

  /** What becomes of it is written to what is returned. */
  handedOut(jobId: string, workerId: string, { injected }: { readonly injected: boolean }): Delivery {
    const delivery: Delivery = { workerId, atMs: this.#now(), injected, sent: undefined }
    this.#jobs.get(jobId)?.deliveries.push(delivery)
    return delivery
  }

  requeued(jobId: string): void {
    const entry = this.#jobs.get(jobId)
    if (entry !== undefined) entry.requeued++
  }

  /** It was taken away because the pings of its worker do not list it. */
  unlisted(jobId: string, workerId: string): void {
    this.#jobs.get(jobId)?.unlisted.push({ workerId, atMs: this.#now() })
  }

  /** A final result; `body` as it came. Whether the worker knows that it arrived is written to what is returned. */
  resultPosted(jobId: string, workerId: string, result: { body: Uint8Array; failed: boolean }): ResultPost {
    const post: ResultPost = {
      workerId,
      atMs: this.#now(),
      hash: hashOf(result.body),
      failed: result.failed,
      status: undefined,
      sent: undefined,
      answeredAtMs: undefined,
    }
    this.#jobs.get(jobId)?.posts.push(post)
    return post
  }

  resultRefused(jobId: string, workerId: string): void {
    this.#jobs.get(jobId)?.refusals.push({ workerId, atMs: this.#now() })
  }

  postAnswered(post: ResultPost, status: number, sent: Sent): void {
    post.status = status
    post.sent = sent
    post.answeredAtMs = this.#now()
  }

  /** A result that ended its job without reaching it. */
  spoiled(jobId: string, why: string): void {
    const entry = this.#jobs.get(jobId)
    if (entry !== undefined) entry.spoiled = why
  }

  ended(jobId: string, status: JobStatus): void {
    this.#jobs.get(jobId)?.ends.push(status)
  }

  /** What a client was told of a job that has ended. */
  clientAnswered(jobId: string, body: Uint8Array): void {
    const entry = this.#jobs.get(jobId)
    if (entry === undefined) return
    entry.answers.add(hashOf(body))
    entry.contradicted ||= entry.answers.size > 1
  }

  faultInjected(kind: FaultKind): void {
    this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + 1)
  }

  /** Its process ended before it could finish what it had. */
  killed(workerId: string): void {
    this.#kills.set(workerId, this.#now())
  }

  frozen(workerId: string): void {
    const freezes = this.#freezes.get(workerId) ?? []
    freezes.push({ fromMs: this.#now() - BEFORE_FREEZE_MS, toMs: Infinity })
    this.#freezes.set(workerId, freezes)
  }

  thawed(workerId: string): void {
    const last = this.#freezes.get(workerId)?.at(-1)
    if (last !== undefined) last.toMs = this.#now() + AFTER_THAW_MS
  }

  /** To be asked when all jobs are believed to have ended: what has not is lost. */
  report(): LedgerReport {
    const jobs = [...this.#jobs]
    const lost = jobs.flatMap(([id, entry]) => verdict(id, lossOf(entry)))
    return {
      submitted: jobs.length,
      answered: jobs.length - lost.length,
      lost,
      answeredTwice: jobs.flatMap(([id, entry]) => verdict(id, secondAnswerOf(entry))),
      runTwice: jobs.flatMap(([id, entry]) =>
        secondRunsOf(entry, this.#lifetimes).map((why) => ({ id, why })),
      ),
      abandoned: jobs.flatMap(([id, entry]) =>
        abandonmentsOf(entry, this.#lifetimes).map((why) => ({ id, why })),
      ),
      requeued: sum(jobs, (entry) => entry.requeued),
      deliveries: sum(jobs, (entry) => entry.deliveries.length),
      results: sum(jobs, (entry) => entry.posts.length),
      faultsInjected: Object.fromEntries(this.#faults),
    }
  }

  /** All that is known of every job, as plain data. */
  jobs(): object[] {
    return [...this.#jobs].map(([id, { answers, ...entry }]) => ({ id, ...entry, answers: [...answers] }))
  }
}

function verdict(id: string, why: string | undefined): Verdict[] {
  return why === undefined ? [] : [{ id, why }]
}

function sum(jobs: readonly [string, JobEntry][], count: (entry: JobEntry) => number): number {
  return jobs.reduce((total, [, entry]) => total + count(entry), 0)
}

function hashOf(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex')
}
