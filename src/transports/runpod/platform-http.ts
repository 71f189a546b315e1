import { Readable } from 'node:stream'
import { Agent, request } from 'undici'
import type { Dispatcher } from 'undici'
import { messageOf } from '../../errors.ts'
import { BrokenAnswer } from './broken-answer.ts'

export interface Ask {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  /** Its parts, which are not copied. */
  readonly body?: readonly Uint8Array[]
  /** Aborted: the call rejects, unless it is answered already, be it that the answer has arrived and was not read yet. */
  readonly signal: AbortSignal
  /** How long an answer may take to begin. */
  readonly limitMs: number
  /** Largest body that is read. */
  readonly maxBytes?: number
}

export interface Reply {
  readonly status: number
  readonly contentType: string
  readonly retryAfter: string | undefined
  /** Of a GET that was answered with 200. */
  readonly text: string
}

interface Call {
  readonly controller: AbortController
  answered: boolean
}

/** Idle connections are dropped early: a balancer that drops them first would make calls fail. */
const KEEP_ALIVE_MS = 4000
const CONNECT_LIMIT_MS = 10_000
/** How long an answer may fall silent. A limit of the whole would be too short for large ones, which come again. */
const SILENCE_MS = 30_000

/** What has arrived already is read before a call is given up. */
const ARRIVED_MS = 100
/** After a thaw, the old connections may still end in order. */
const STALE_MS = 5000

/** Enough to keep the connection; more of an answer that nobody reads is not worth the wait. */
const DUMPED_BYTES = 65_536

const THAWED = new Error('the connection is from before the process was frozen')
const TIME_IS_UP = new Error('no answer within the limit')

/** Calls to the platform, on connections that can be replaced under them. */
export class PlatformHttp {
  readonly #headers: Readonly<Record<string, string>>
  readonly #calls = new Set<Call>()
  #agent = openAgent()

  /** `headers` are sent with every call. */
  constructor(headers: Readonly<Record<string, string>>) {
    this.#headers = headers
  }

  /** Undefined where no answer began within the limit. Throws on network errors, and `BrokenAnswer`. */
  async send(ask: Ask): Promise<Reply | undefined> {
    for (;;) {
      const call: Call = { controller: new AbortController(), answered: false }
      const { signal } = call.controller
      try {
        return await this.#sendOnce(ask, call)
      } catch (error) {
        if (signal.reason === TIME_IS_UP) return undefined
        // Asked anew: a poll has lost nothing, and a result may arrive twice.
        if (signal.reason !== THAWED) throw error
      }
    }
  }

  /**
   * Replaces all connections; calls that are not answered yet are made once more. Safe where the old ones are sound: what
   * has arrived is read first.
   */
  renew(): void {
    const stale = this.#agent
    const calls = [...this.#calls]
    this.#agent = openAgent()
    for (const call of calls) giveUp(call, THAWED)
    setTimeout(() => void stale.destroy(), STALE_MS).unref()
  }

  /** Calls under way fail. */
  async close(): Promise<void> {
    await this.#agent.destroy()
  }

  async #sendOnce(ask: Ask, call: Call): Promise<Reply> {
    const { method, url, headers, body = [], signal, limitMs } = ask
    signal.throwIfAborted()
    const { controller } = call
    const onAbort = () => giveUp(call, signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    const timer = setTimeout(() => controller.abort(TIME_IS_UP), limitMs)
    this.#calls.add(call)
    try {
      const response = await request(url, {
        method,
        headers: { ...this.#headers, ...headers, ...lengthOf(body) },
        body: body.length > 1 ? Readable.from(body) : (body[0] ?? null),
        dispatcher: this.#agent,
        signal: controller.signal,
        // Ours are the limits, whole and exact; but nobody watches an answer that is not read.
        headersTimeout: 0,
        bodyTimeout: 2 * SILENCE_MS,
      })
      call.answered = true
      clearTimeout(timer)
      return await readReply(ask, response)
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      this.#calls.delete(call)
    }
  }
}

/** After what has arrived is read. */
function giveUp(call: Call, reason: unknown): void {
  const abort = () => {
    if (!call.answered) call.controller.abort(reason)
  }
  // Timers come before what can be read: after a blocked turn only the end of the next one has seen it all.
  setTimeout(() => setImmediate(abort), ARRIVED_MS).unref()
}

/** Of a stream it would not be known. */
function lengthOf(body: readonly Uint8Array[]): Record<string, string> {
  if (body.length === 0) return {}
  return { 'content-length': String(body.reduce((sum, part) => sum + part.byteLength, 0)) }
}

async function readReply(ask: Ask, { statusCode, headers, body }: Dispatcher.ResponseData): Promise<Reply> {
  const reply = {
    status: statusCode,
    contentType: textOf(headers['content-type']) ?? '',
    retryAfter: textOf(headers['retry-after']),
  }
  if (ask.method === 'GET' && statusCode === 200)
    return { ...reply, text: await readText(body, ask.maxBytes) }
  // The status says all.
  void body.dump({ limit: DUMPED_BYTES }).catch(() => {})
  return { ...reply, text: '' }
}

async function readText(body: Dispatcher.ResponseData['body'], maxBytes = Infinity): Promise<string> {
  const onSilence = () => body.destroy(new Error(`nothing came for ${SILENCE_MS / 1000} seconds`))
  const timer = setTimeout(onSilence, SILENCE_MS)
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      timer.refresh()
      bytes += chunk.byteLength
      if (bytes > maxBytes) throw new BrokenAnswer(`the answer has more than ${maxBytes} bytes`)
      chunks.push(chunk)
    }
  } catch (cause) {
    if (cause instanceof BrokenAnswer) throw cause
    throw new BrokenAnswer(`the answer broke off: ${messageOf(cause)}`, { cause })
  } finally {
    clearTimeout(timer)
  }
  return Buffer.concat(chunks).toString()
}

function textOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header
}

/** HTTP/1.1, as RunPod's own worker speaks it. */
function openAgent(): Agent {
  return new Agent({
    allowH2: false,
    connect: { timeout: CONNECT_LIMIT_MS },
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
  })
}
