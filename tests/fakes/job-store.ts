/** A job store with a clock moved by hand, and jobs for it. */
import { afterEach } from 'vitest'
import type { Job } from '../../src/transports/gateway/job.ts'
import { DEFAULT_POLICY } from '../../src/transports/gateway/job-request.ts'
import type { JobStoreOptions } from '../../src/transports/gateway/job-store.ts'
import { JobStore } from '../../src/transports/gateway/job-store.ts'
import type { Submission } from '../../src/transports/gateway/stored-job.ts'
import type { EncodedOutput } from '../../src/transports/runpod/job-source.ts'

export interface FakeStore {
  readonly store: JobStore
  /** Milliseconds. */
  readonly clock: { ms: number }
  /** Status and input of each job at its end. */
  readonly ended: { readonly id: string; readonly status: string; readonly input: unknown }[]
}

export const WORKER = 'worker-1'

const NO_LIMITS = {
  maxQueuedJobs: Infinity,
  maxQueuedBytes: Infinity,
  maxKeptJobs: Infinity,
  maxKeptBytes: Infinity,
}

const open: JobStore[] = []
afterEach(() => open.splice(0).forEach((store) => store.close()))

/** Closed after the test. Ids are `1-u1`, `2-u1`, …; sync ones `sync-3-u1`. */
export function openStore(
  options: Partial<Omit<JobStoreOptions, 'limits'>> & { limits?: Partial<JobStoreOptions['limits']> } = {},
): FakeStore {
  const clock = { ms: 1_000_000 }
  const ended: { id: string; status: string; input: unknown }[] = []
  let count = 0
  const store = new JobStore({
    now: () => clock.ms,
    newId: () => String(++count),
    onEnd: ({ id, status, input }) => ended.push({ id, status, input }),
    ...options,
    limits: { ...NO_LIMITS, ...options.limits },
  })
  open.push(store)
  return { store, clock, ended }
}

export function submission(parts: Partial<Submission> = {}): Submission {
  return { input: { text: 'a' }, policy: DEFAULT_POLICY, sync: false, bytes: 10, ...parts }
}

/** What there is to take, without waiting for more. */
export async function takeNow(store: JobStore, count = 1, workerId = WORKER): Promise<readonly Job[]> {
  return store.counts().inQueue === 0 ? [] : store.take(count, { workerId, waitMs: 1000 })
}

export function encoded(value: unknown): EncodedOutput {
  const isListOfOne = Array.isArray(value) && value.length === 1
  return { json: Buffer.from(JSON.stringify(value)), isListOfOne }
}

export function textOf(output: EncodedOutput | undefined): string | undefined {
  return output && Buffer.from(output.json).toString()
}

/** Ids, for short expectations. */
export function idsOf(jobs: readonly Job[]): string[] {
  return jobs.map(({ id }) => id)
}
