import type { Transferable } from 'node:worker_threads'
import { Worker } from 'node:worker_threads'
import { ServerError, fromWireError, messageOf } from '../errors.ts'
import type { AskMessage, CallMap, ReplyMessage } from './thread-protocol.ts'
import { START_ID } from './thread-protocol.ts'

/** Longer than any batch or load should take. */
const CLOSE_GRACE_MS = 60_000

interface PendingCall {
  readonly resolve: (reply: object) => void
  readonly reject: (error: unknown) => void
}

/**
 * The near end of a worker thread. Every call settles: with its reply, with the error that the thread sent (message and
 * code kept), or with `thread_died` when the thread exits first. A thread with no call pending does not keep the
 * process alive.
 */
export class ThreadClient<C extends CallMap<C>> {
  readonly #name: string
  readonly #worker: Worker
  readonly #pending = new Map<number, PendingCall>()
  readonly #onDeath: (error: ServerError) => void
  readonly #idle = Promise.withResolvers<void>()
  #nextId = 1
  #closing = false
  #death: ServerError | undefined

  /** `onDeath` is told once, also when the death is ours. */
  constructor(file: URL, name: string, onDeath: (error: ServerError) => void = () => {}) {
    this.#name = name
    this.#onDeath = onDeath
    this.#worker = new Worker(file, { name })
    this.#worker.on('message', (message: ReplyMessage) => this.#settle(message))
    this.#worker.on('messageerror', (error) => this.#die(error))
    // An uncaught exception arrives as 'error' and is followed by 'exit'; the first of them names the cause.
    this.#worker.on('error', (error) => this.#die(error))
    this.#worker.on('exit', (code) => this.#die(new Error(`exit code ${code}`)))
    // A thread that is still loading native libraries must not be ended either: its start counts as a call under way.
    this.#pending.set(START_ID, { resolve: () => {}, reject: () => {} })
  }

  get alive(): boolean {
    return this.#death === undefined
  }

  call<K extends keyof C & string>(
    kind: K,
    ask: C[K]['ask'],
    transfer: readonly Transferable[] = [],
  ): Promise<C[K]['reply']> {
    if (this.#death !== undefined) return Promise.reject(this.#death)
    if (this.#closing)
      return Promise.reject(new ServerError('stopping', `the ${this.#name} thread is being closed`))
    const message: AskMessage = { id: this.#nextId++, kind, ask }
    return new Promise<object>((resolve, reject) => {
      this.#worker.postMessage(message, [...transfer])
      this.#pending.set(message.id, { resolve, reject })
      this.#worker.ref()
    })
  }

  /**
   * Waits for calls under way, at most `graceMs`, then ends the thread: a native library that is stopped in the middle of
   * its work takes the whole process down. No call is taken meanwhile.
   */
  async close(graceMs = CLOSE_GRACE_MS): Promise<void> {
    this.#closing = true
    if (this.#pending.size > 0) {
      const timer = setTimeout(this.#idle.resolve, graceMs)
      await this.#idle.promise
      clearTimeout(timer)
    }
    await this.#worker.terminate()
  }

  #settle(message: ReplyMessage): void {
    const call = this.#pending.get(message.id)
    if (call === undefined) return
    this.#pending.delete(message.id)
    if (this.#pending.size === 0) {
      this.#worker.unref()
      if (this.#closing) this.#idle.resolve()
    }
    if (message.ok) call.resolve(message.reply)
    else call.reject(fromWireError(message.error))
  }

  #die(cause: unknown): void {
    if (this.#death !== undefined) return
    this.#death = new ServerError('thread_died', `the ${this.#name} thread died: ${messageOf(cause)}`, {
      cause,
    })
    for (const call of this.#pending.values()) call.reject(this.#death)
    this.#pending.clear()
    this.#idle.resolve()
    this.#onDeath(this.#death)
  }
}
