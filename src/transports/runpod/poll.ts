import { messageOf } from '../../errors.ts'
import { backoffMs, readRetryAfter } from './backoff.ts'
import type { PlatformHttp, Reply } from './platform-http.ts'
import { RetryLater } from './retry-later.ts'

export interface PollOptions {
  readonly http: PlatformHttp
  /** What errors call it. */
  readonly name: string
  /** Statuses that mean that there is no such address, or no right to it. */
  readonly refusals: readonly number[]
  /** How long to wait after that many refusals on end. */
  readonly refusedMs: (count: number) => number
  /** Wall clock, in milliseconds. */
  readonly now: () => number
}

/** The platform's own workers give up after as long. */
const POLL_LIMIT_MS = 90_000
const TOO_MANY_MS = 5000

/** Of memory: parsed, it takes several times as much. One job has up to 20 MB; a batch that is larger must be asked for in parts. */
const MAX_BYTES = 268_435_456

/** One long poll, asked again and again. */
export class Poll {
  readonly #options: PollOptions
  #failures = 0
  #refusals = 0

  constructor(options: PollOptions) {
    this.#options = options
  }

  /**
   * What `read` makes of an answer (one of the 200s, or 400); undefined where none came in time. What `read` throws counts
   * as a failure too. Throws `RetryLater`, or what aborted it.
   */
  async ask<T>(url: string, signal: AbortSignal, read: (reply: Reply) => T): Promise<T | undefined> {
    const { http, name } = this.#options
    const ask = { method: 'GET', url, signal, limitMs: POLL_LIMIT_MS, maxBytes: MAX_BYTES } as const
    let result: T
    try {
      const reply = await http.send(ask)
      if (reply === undefined) return undefined
      if (reply.status !== 400 && (reply.status < 200 || reply.status > 299)) throw this.#refuse(reply)
      result = read(reply)
    } catch (cause) {
      if (signal.aborted || cause instanceof RetryLater) throw cause
      throw new RetryLater(`${name} failed: ${messageOf(cause)}`, backoffMs(++this.#failures), { cause })
    }
    this.#failures = 0
    this.#refusals = 0
    return result
  }

  #refuse({ status, retryAfter }: Reply): RetryLater {
    const { name, refusals, refusedMs, now } = this.#options
    const message = `${name} was answered with HTTP ${status}`
    if (refusals.includes(status)) return new RetryLater(message, refusedMs(++this.#refusals), { status })
    const askedMs = status === 429 ? (readRetryAfter(retryAfter, now()) ?? TOO_MANY_MS) : undefined
    return new RetryLater(message, askedMs ?? backoffMs(++this.#failures), { status })
  }
}
