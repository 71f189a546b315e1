/** What the ledger knows of one job. */
import type { JobStatus } from '../../src/transports/gateway/job.ts'

/**
 * What became of an answer. `whole`: written to its end. `partial`: begun. `none`: no byte of it was written.
 */
export type Sent = 'whole' | 'partial' | 'none'

/** A job on its way to a worker. */
export interface Delivery {
  readonly workerId: string
  readonly atMs: number
  /** Handed out again on purpose, to see whether the worker notices. */
  readonly injected: boolean
  /** Until it is known, it may have arrived. */
  sent: Sent | undefined
}

/** A result on its way from a worker. */
export interface ResultPost {
  readonly workerId: string
  readonly atMs: number
  /** Of the body, in hex. */
  readonly hash: string
  readonly failed: boolean
  /** HTTP status of the answer, whether it got through or not. */
  status: number | undefined
  sent: Sent | undefined
  answeredAtMs: number | undefined
}

export interface JobEntry {
  /** Times that a client put it into the queue: its submission and its retries. */
  queued: number
  readonly deliveries: Delivery[]
  readonly posts: ResultPost[]
  readonly ends: JobStatus[]
  requeued: number
  /** Posts, of a result or of progress, that met a fault before they were read. */
  readonly refusals: { readonly workerId: string; readonly atMs: number }[]
  /** When workers that had it did not list it. */
  readonly unlisted: { readonly workerId: string; readonly atMs: number }[]
  /** Why its result never reached the client, though the job ended. */
  spoiled: string | undefined
  /** Of the answers that clients were given since its last end: more than one is a contradiction. */
  readonly answers: Set<string>
  contradicted: boolean
}

export function newEntry(): JobEntry {
  return {
    queued: 1,
    deliveries: [],
    posts: [],
    ends: [],
    requeued: 0,
    refusals: [],
    unlisted: [],
    spoiled: undefined,
    answers: new Set(),
    contradicted: false,
  }
}
