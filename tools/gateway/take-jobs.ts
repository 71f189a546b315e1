import { encodeJson } from '../../src/base/encode-json.ts'
import type { Job } from '../../src/transports/gateway/job.ts'
import { jobForWorker } from '../../src/transports/gateway/job-json.ts'
import type { JobStore } from '../../src/transports/gateway/job-store.ts'
import type { Duplicates } from './duplicates.ts'
import type { Fault } from './faults.ts'
import type { Answer } from './faulty-answer.ts'
import type { Fleet } from './fleet.ts'
import type { Delivery } from './job-entry.ts'
import type { Ledger } from './ledger.ts'
import { malformedItem } from './malformed.ts'

export interface TakeContext {
  readonly store: JobStore
  readonly ledger: Ledger
  readonly fleet: Fleet
  readonly duplicates: Duplicates
}

export interface Take {
  readonly workerId: string
  /** Jobs wanted; undefined: one, and not as a list. */
  readonly batchSize: number | undefined
  readonly waitMs: number
  /** Aborted when the worker is gone. */
  readonly signal: AbortSignal
}

/** One item of an answer. */
interface Entry {
  readonly item: unknown
  /** Undefined for what is no job. */
  readonly delivery?: Delivery | undefined
  /** Of a job that the worker has from now on. */
  readonly jobId?: string | undefined
}

/** Hands out jobs, and what the fault puts among them, and keeps book of both. */
export async function takeJobs(take: Take, fault: Fault | undefined, context: TakeContext): Promise<Answer> {
  const { batchSize, workerId } = take
  const { fleet } = context
  const isBatch = batchSize !== undefined
  // A single take has room for one item: the job that is not handed out now stays in the queue.
  const alone = isBatch ? undefined : extraEntry(workerId, fault, context)
  const entries = alone === undefined ? await waitForJobs(take, context) : [alone]
  if (entries.length === 0) return { status: 204 }
  const extra = isBatch ? extraEntry(workerId, fault, context) : undefined
  // Anywhere: what comes after an item that is none must be read as well.
  if (extra !== undefined)
    entries.splice(Math.floor((fault?.choice ?? 0) * 100) % (entries.length + 1), 0, extra)
  const items = entries.map(({ item }) => item)
  return {
    status: 200,
    body: await encodeJson(isBatch ? items : items[0]),
    onSent: (sent) => {
      for (const { delivery, jobId } of entries) {
        if (delivery !== undefined) delivery.sent = sent
        if (jobId !== undefined && sent === 'whole') fleet.arrived(workerId, jobId)
      }
      // Kept back on purpose: the worker's pings have to show that it has none of them.
      if (sent !== 'none' || fault?.kind === 'drop-after') return
      fleet.takeAway(
        workerId,
        entries.flatMap(({ jobId }) => jobId ?? []),
      )
    },
  }
}

/** None where the worker is gone: what it was given just now goes to another. */
async function waitForJobs(take: Take, context: TakeContext): Promise<Entry[]> {
  const { batchSize = 1, workerId, waitMs, signal } = take
  const { store, fleet } = context
  let jobs: readonly Job[]
  try {
    jobs = await store.take(batchSize, { workerId, waitMs, signal })
  } catch (error) {
    if (signal.aborted) return []
    throw error
  }
  const entries = jobs.map((job) => handOut(job, workerId, context))
  if (entries.length === 0 || !fleet.isDead(workerId)) return entries
  for (const { delivery } of entries) if (delivery !== undefined) delivery.sent = 'none'
  fleet.died(workerId)
  return []
}

function handOut(job: Job, workerId: string, { ledger, fleet, duplicates }: TakeContext): Entry {
  const { id } = job
  const item = jobForWorker(job)
  fleet.handedOut(workerId, id)
  duplicates.remember({ jobId: id, workerId, item })
  return { item, jobId: id, delivery: ledger.handedOut(id, workerId, { injected: false }) }
}

function extraEntry(
  workerId: string,
  fault: Fault | undefined,
  { ledger, duplicates }: TakeContext,
): Entry | undefined {
  if (fault?.kind === 'malformed') {
    ledger.faultInjected('malformed')
    return { item: malformedItem(fault.choice) }
  }
  const double = fault?.kind === 'duplicate' ? duplicates.pick(workerId, fault.choice) : undefined
  if (double === undefined) return undefined
  ledger.faultInjected('duplicate')
  return { item: double.item, delivery: ledger.handedOut(double.jobId, workerId, { injected: true }) }
}
