import type { Transferable } from 'node:worker_threads'
import { ServerError, messageOf, stopping } from '../errors.ts'
import { ThreadClient } from './thread-client.ts'
import type { CallMap } from './thread-protocol.ts'

export interface ThreadEvents {
  readonly onDeath?: (error: ServerError) => void
  readonly onRevival?: (ms: number) => void
}

/** A thread that is started again when it dies, with all that it was set up with. What it was doing is lost. */
export class RevivingThread<C extends CallMap<C>> {
  readonly #file: URL
  readonly #name: string
  readonly #setUps: ((thread: ThreadClient<C>) => Promise<unknown>)[] = []
  #events: ThreadEvents = {}
  #thread: ThreadClient<C>
  #reviving: Promise<void> | undefined
  #closed = false
  #healthy = true

  constructor(file: URL, name: string) {
    this.#file = file
    this.#name = name
    this.#thread = this.#start()
  }

  /** False once it died and could not be set up again; true again when a later call could. */
  get healthy(): boolean {
    return this.#healthy
  }

  watch(events: ThreadEvents): void {
    this.#events = events
  }

  /** Runs `step` now, and again in every thread that replaces this one. */
  async setUp<R>(step: (thread: ThreadClient<C>) => Promise<R>): Promise<R> {
    const result = await step(this.#thread)
    this.#setUps.push(step)
    return result
  }

  /**
   * Throws what the thread answered with; `thread_died` where it died over this call; `revival_failed` where no thread
   * could be set up to take it (the next call tries again); `stopping` once closed.
   */
  async call<K extends keyof C & string>(
    kind: K,
    ask: C[K]['ask'],
    transfer: readonly Transferable[] = [],
  ): Promise<C[K]['reply']> {
    if (this.#reviving !== undefined || !this.#thread.alive) await this.#revive()
    if (this.#closed) throw stopping()
    return this.#thread.call(kind, ask, transfer)
  }

  /** For calls that change nothing but their reply: one that the thread died over is made again, once. */
  async callOnceMore<K extends keyof C & string>(kind: K, ask: C[K]['ask']): Promise<C[K]['reply']> {
    try {
      return await this.call(kind, ask)
    } catch (error) {
      if (!(error instanceof ServerError) || error.code !== 'thread_died') throw error
      return this.call(kind, ask)
    }
  }

  /** See `ThreadClient.close`. */
  async close(graceMs?: number): Promise<void> {
    this.#closed = true
    await this.#thread.close(graceMs)
  }

  /** Whoever comes first after a death starts the new thread; the others wait for it. */
  #revive(): Promise<void> {
    this.#reviving ??= this.#replace().finally(() => (this.#reviving = undefined))
    return this.#reviving
  }

  async #replace(): Promise<void> {
    if (this.#closed) throw stopping()
    const start = performance.now()
    const thread = this.#start()
    try {
      for (const step of this.#setUps) await step(thread)
    } catch (cause) {
      this.#healthy = false
      await thread.close()
      throw new ServerError(
        'revival_failed',
        `the ${this.#name} thread died and cannot be set up again: ${messageOf(cause)}`,
        {
          cause,
        },
      )
    }
    this.#thread = thread
    this.#healthy = true
    if (this.#closed) await thread.close()
    this.#events.onRevival?.(performance.now() - start)
  }

  #start(): ThreadClient<C> {
    return new ThreadClient<C>(this.#file, this.#name, (error) => {
      if (!this.#closed) this.#events.onDeath?.(error)
    })
  }
}
