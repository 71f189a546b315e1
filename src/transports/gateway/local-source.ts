import type { JobSource } from '../runpod/job-source.ts'
import { jobForWorker } from './job-json.ts'
import type { JobStore } from './job-store.ts'

/** The loop that waits is in this process: it asks again at no cost. */
const WAIT_MS = 30_000

/** Jobs of this process's own gateway. Asked to replace the worker, it does nothing: nobody would start another. */
export function localSource(store: JobStore, workerId: string): JobSource {
  const closing = new AbortController()
  const until = (signal: AbortSignal) => ({
    waitMs: WAIT_MS,
    signal: AbortSignal.any([signal, closing.signal]),
  })
  return {
    take: async (count, { signal }) => {
      const jobs = await store.take(count, { workerId, ...until(signal) })
      return jobs.map(jobForWorker)
    },
    stopped: (signal) => store.nextStops(workerId, until(signal)),
    finish: async (id, { outcome }) => {
      return store.finish(id, workerId, outcome) === 'accepted' ? 'delivered' : 'unwanted'
    },
    progress: async (id, output) =>
      store.progress(id, { json: Buffer.from(JSON.stringify(output)), isListOfOne: false }),
    close: async () => {
      closing.abort()
      // Nobody will run what still waits: whoever waits for it is told.
      store.purge()
    },
  }
}
