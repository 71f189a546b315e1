/** A job source driven by hand: a take waits until the test gives jobs, and results are kept. */
import type {
  EncodedResult,
  JobSource,
  Receipt,
  TakeOptions,
} from '../../src/transports/runpod/job-source.ts'

interface Waiter<T> {
  readonly resolve: (items: readonly T[]) => void
  readonly reject: (error: unknown) => void
}

export interface Finished {
  readonly id: string
  readonly output?: unknown
  readonly error?: string
  readonly stopPod: boolean
}

export class FakeJobSource implements JobSource {
  /** What every take asked for. */
  readonly takes: { count: number; jobsInProgress: boolean }[] = []
  readonly finished: Finished[] = []
  readonly progressed: { id: string; output: object }[] = []
  /** Set: results wait until it resolves, and what it rejects with is thrown. */
  finishing: Promise<void> | undefined
  /** What becomes of results. */
  receipt: Receipt = 'delivered'
  /** Set: progress posts wait until it resolves. */
  progressing: Promise<void> | undefined
  #take: Waiter<unknown> | undefined
  #stop: Waiter<string> | undefined

  get isTaking(): boolean {
    return this.#take !== undefined
  }

  readonly take = (count: number, { jobsInProgress, signal }: TakeOptions): Promise<readonly unknown[]> => {
    this.takes.push({ count, jobsInProgress })
    return new Promise((resolve, reject) => {
      this.#take = { resolve, reject }
      signal.addEventListener('abort', () => reject(signal.reason))
    })
  }

  readonly stopped = (signal: AbortSignal): Promise<readonly string[]> =>
    new Promise((resolve, reject) => {
      this.#stop = { resolve, reject }
      signal.addEventListener('abort', () => reject(signal.reason))
    })

  readonly finish = async (id: string, result: EncodedResult, signal: AbortSignal): Promise<Receipt> => {
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason))
    })
    await Promise.race([this.finishing, aborted])
    const { outcome, stopPod } = result
    const told =
      'error' in outcome ? outcome : { output: JSON.parse(Buffer.from(outcome.output.json).toString()) }
    this.finished.push({ id, ...told, stopPod })
    return this.receipt
  }

  readonly progress = async (id: string, output: object): Promise<void> => {
    this.progressed.push({ id, output })
    await this.progressing
  }

  readonly close = async (): Promise<void> => {}

  /** Answers the take that waits. */
  give(...items: unknown[]): void {
    this.#take?.resolve(items)
    this.#take = undefined
  }

  failTake(error: unknown): void {
    this.#take?.reject(error)
    this.#take = undefined
  }

  stop(...ids: string[]): void {
    this.#stop?.resolve(ids)
  }

  failStop(error: unknown): void {
    this.#stop?.reject(error)
  }
}
