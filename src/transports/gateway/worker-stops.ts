import type { WaitOptions } from './waiting-line.ts'
import { WaitingLine } from './waiting-line.ts'

/** Ids kept for a worker that does not ask: it is gone, or too old to know how. The oldest are dropped. */
const MAX_PENDING = 1000

interface Worker {
  readonly ids: string[]
  readonly line: WaitingLine<readonly string[]>
}

/** Which jobs each worker shall stop, until it asks. */
export class WorkerStops {
  readonly #workers = new Map<string, Worker>()

  add(workerId: string, jobId: string): void {
    const { ids, line } = this.#workerOf(workerId)
    if (ids.length >= MAX_PENDING) ids.shift()
    ids.push(jobId)
    line.wake()
  }

  withdraw(workerId: string, jobId: string): void {
    const ids = this.#workers.get(workerId)?.ids ?? []
    const index = ids.indexOf(jobId)
    if (index >= 0) ids.splice(index, 1)
  }

  /** All ids at once; none where the wait ended without. */
  async next(workerId: string, options: WaitOptions): Promise<readonly string[]> {
    const worker = this.#workerOf(workerId)
    const { ids, line } = worker
    const serve = () => (ids.length === 0 ? undefined : ids.splice(0))
    try {
      return await line.wait({ serve, otherwise: () => [] }, options)
    } finally {
      const idle = ids.length === 0 && line.isEmpty
      if (idle && this.#workers.get(workerId) === worker) this.#workers.delete(workerId)
    }
  }

  forget(workerId: string): void {
    const worker = this.#workers.get(workerId)
    this.#workers.delete(workerId)
    worker?.line.end()
  }

  close(): void {
    for (const workerId of this.#workers.keys()) this.forget(workerId)
  }

  #workerOf(workerId: string): Worker {
    let worker = this.#workers.get(workerId)
    if (worker === undefined) {
      worker = { ids: [], line: new WaitingLine() }
      this.#workers.set(workerId, worker)
    }
    return worker
  }
}
