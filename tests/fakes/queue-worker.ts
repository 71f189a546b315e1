/** A worker over a fake source; its jobs run until the test ends them. */
import type { JobResult } from '../../src/transports/runpod/job.ts'
import type { Job } from '../../src/transports/runpod/taken-job.ts'
import type { JobEnd, QueueWorkerOptions, RunJobOptions } from '../../src/transports/runpod/worker-options.ts'
import { QueueWorker } from '../../src/transports/runpod/worker.ts'
import { openDeliver } from '../../src/transports/runpod/deliver.ts'
import { FakeJobSource } from './job-source.ts'
import { recordLog } from './recording-log.ts'

interface RunningJob extends RunJobOptions {
  readonly job: Job
  readonly end: (result?: JobResult) => void
  readonly fail: (error: unknown) => void
}

export function openFakeWorker(options: Partial<QueueWorkerOptions> = {}) {
  const source = new FakeJobSource()
  const recorded = recordLog()
  const clock = { ms: 0 }
  const running = new Map<string, RunningJob>()
  /** Ids in the order in which they began. */
  const began: string[] = []
  const heldByHeartbeat: string[][] = []
  const ends: JobEnd[] = []
  const run = (job: Job, callOptions: RunJobOptions): Promise<JobResult> => {
    const { promise, resolve, reject } = Promise.withResolvers<JobResult>()
    const id = String(job['id'])
    began.push(id)
    running.set(id, { ...callOptions, job, end: (result = { output: id }) => resolve(result), fail: reject })
    return promise
  }
  const worker = new QueueWorker({
    source,
    run,
    deliver: openDeliver({}),
    heartbeat: { setJobs: (jobIds) => heldByHeartbeat.push([...jobIds]) },
    isFull: () => false,
    maxConcurrency: 3,
    refreshWorker: false,
    log: recorded.log,
    now: () => clock.ms,
    onJobEnd: (end) => ends.push(end),
    ...options,
  })
  const job = (id: string): RunningJob => {
    const found = running.get(id)
    if (found === undefined) throw new Error(`job ${id} never began`)
    return found
  }
  return { worker, source, ...recorded, clock, began, heldByHeartbeat, ends, job }
}
