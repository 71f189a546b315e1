import { pause } from '../../base/abort.ts'
import type { Log } from '../../base/log.ts'
import { ServerError, messageOf } from '../../errors.ts'
import type { Job } from './job.ts'
import { webhookJson } from './job-json.ts'

export interface WebhookOptions {
  /**
   * Hosts that may be sent to. `host` allows its default ports, 80 for http and 443 for https; `host:port` that port
   * alone. `all` is for tools on a developer's machine: clients choose the address, and this machine may reach what they
   * cannot.
   */
  readonly allow: 'all' | readonly string[]
  readonly log: Log
}

const TRIES = 3
const PAUSE_MS = 10_000
const CLOSE_GRACE_MS = 3000
const ANSWER_LIMIT_MS = 10_000
/** Of bodies that wait for a host that is slow or gone. */
const MAX_PENDING_BYTES = 100_000_000

/** Tells an address of the client's choice how its job ended. */
export class Webhooks {
  readonly #options: WebhookOptions
  /** Aborted: nothing is tried again. */
  readonly #closing = new AbortController()
  /** Aborted: nothing is waited for. */
  readonly #over = new AbortController()
  readonly #sending = new Set<Promise<void>>()
  #pendingBytes = 0

  constructor(options: WebhookOptions) {
    this.#options = options
  }

  /** Throws `invalid_request` where nothing may be sent to this http or https address. */
  check(webhook: string): void {
    const url = new URL(webhook)
    if (url.username !== '' || url.password !== '') {
      throw new ServerError('invalid_request', 'webhook holds a user or a password; it must be without')
    }
    const { allow } = this.#options
    if (allow === 'all' || allow.includes(url.host) || allow.includes(withPort(url))) return
    throw new ServerError(
      'invalid_request',
      `webhook names the host ${url.host}; only hosts listed in WEBHOOK_HOSTS are sent to`,
    )
  }

  /** Posts how a job ended, if it has a webhook: at most three times, 10 s apart, until the answer is 200. Never rejects. */
  async send(job: Job): Promise<void> {
    const { id, webhook } = job
    if (webhook === undefined) return
    const sending = this.#send(id, webhook, job).catch((error: unknown) => {
      this.#options.log('warn', { event: 'webhook_failed', jobId: id, error: messageOf(error) })
    })
    this.#sending.add(sending)
    await sending
    this.#sending.delete(sending)
  }

  /** No more second tries; what is under way has a moment to arrive. */
  async close(): Promise<void> {
    this.#closing.abort()
    const timer = setTimeout(() => this.#over.abort(), CLOSE_GRACE_MS)
    await Promise.all(this.#sending)
    clearTimeout(timer)
  }

  async #send(id: string, webhook: string, job: Job): Promise<void> {
    const body = await webhookJson(job)
    const { log } = this.#options
    if (this.#pendingBytes + body.byteLength > MAX_PENDING_BYTES) {
      return log('warn', { event: 'webhook_dropped', jobId: id, pendingBytes: this.#pendingBytes })
    }
    this.#pendingBytes += body.byteLength
    const error = await this.#deliver(webhook, body)
    this.#pendingBytes -= body.byteLength
    if (error !== undefined) log('warn', { event: 'webhook_failed', jobId: id, error })
  }

  /** Resolves with what went wrong at last, if it did. */
  async #deliver(webhook: string, body: Buffer): Promise<string | undefined> {
    const { signal } = this.#closing
    for (let tries = 1; ; tries++) {
      const error = await this.#post(webhook, body)
      if (error === undefined || tries === TRIES || signal.aborted) return error
      await pause(PAUSE_MS, signal)
      if (signal.aborted) return error
    }
  }

  async #post(webhook: string, body: Buffer): Promise<string | undefined> {
    const limit = new AbortController()
    const timer = setTimeout(() => limit.abort(), ANSWER_LIMIT_MS)
    try {
      const response = await fetch(webhook, {
        method: 'POST',
        headers: { 'content-type': 'application/json; charset=utf-8' },
        body,
        // It could lead to a host that is not allowed.
        redirect: 'manual',
        signal: AbortSignal.any([limit.signal, this.#over.signal]),
      })
      await response.body?.cancel()
      return response.status === 200 ? undefined : `HTTP ${response.status}`
    } catch (error) {
      return limit.signal.aborted ? `no answer within ${ANSWER_LIMIT_MS} ms` : messageOf(error)
    } finally {
      clearTimeout(timer)
    }
  }
}

function withPort({ hostname, port, protocol }: URL): string {
  return `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`
}
