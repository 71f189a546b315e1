/** Requests to the hub: who gets the token, what is tried again, and what a refusal means. */
import { setTimeout as sleep } from 'node:timers/promises'
import { ServerError, messageOf } from '../errors.ts'

/** One model's way to the hub. */
export interface Hub {
  /** Its name there, and what errors call it. */
  readonly model: string
  readonly revision: string
  /** Without a slash at its end. */
  readonly endpoint: string
  readonly token: string | undefined
  readonly signal: AbortSignal
  /** How often a request that brings nothing is made. */
  readonly attempts: number
  /** The wait before the second attempt; each further wait is twice as long. */
  readonly backoffMs: number
  readonly onRetry: (reason: string, waitMs: number) => void
}

/** A server may ask for longer; a worker that starts has no more time than this. */
const MAX_WAIT_MS = 60_000

/**
 * One request. Throws a `ServerError` that says in one sentence what is wrong; it has `retryAfterMs` where the same
 * request may succeed later.
 */
export async function request(
  hub: Hub,
  url: string,
  init: { headers?: Record<string, string>; signal: AbortSignal },
): Promise<Response> {
  const { host, origin } = new URL(url)
  // Pages of a listing name the next one by its whole address. Fetch itself drops the token where a redirect leaves the origin.
  const isHub = origin === new URL(hub.endpoint).origin
  const token = isHub && hub.token !== undefined ? { authorization: `Bearer ${hub.token}` } : {}
  const headers = { 'user-agent': 'runpod-worker-embeddings', ...init.headers, ...token }
  const signal = AbortSignal.any([hub.signal, init.signal])
  try {
    const response = await fetch(url, { headers, signal })
    if (response.ok) return response
    await response.body?.cancel()
    throw refusal(hub, response)
  } catch (error) {
    throw networkFailure(hub, host, error)
  }
}

/**
 * Repeats `work` while it fails for a passing reason, at most `attempts` times in a row: `renew` starts the count anew, for
 * work that has got further.
 */
export async function withRetries<R>(hub: Hub, work: (renew: () => void) => Promise<R>): Promise<R> {
  let failures = 0
  for (;;) {
    try {
      return await work(() => (failures = 0))
    } catch (error) {
      failures++
      const isPassing = error instanceof ServerError && error.retryAfterMs !== undefined
      if (!isPassing || failures >= hub.attempts) throw error
      // spread out: workers that started together were refused together
      const backoffMs = hub.backoffMs * 2 ** (failures - 1) * (0.75 + Math.random() / 2)
      const waitMs = Math.min(Math.max(error.retryAfterMs ?? 0, backoffMs), MAX_WAIT_MS)
      hub.onRetry(error.message, Math.round(waitMs))
      await pause(hub, waitMs)
    }
  }
}

/** Throws `cancelled` when the signal says so. */
export async function pause(hub: Hub, ms: number): Promise<void> {
  await sleep(ms, undefined, { signal: hub.signal }).catch((cause: unknown) => {
    throw cancelled(hub, cause)
  })
}

/** A failure that may pass: a `retryAfterMs` says so to `withRetries`. */
export function passing(hub: Hub, what: string, options: { cause?: unknown; retryAfterMs?: number } = {}) {
  return new ServerError('load_failed', `${hub.model}: ${what}`, { retryAfterMs: 0, ...options })
}

/** What came of a request or of reading its body, as a `ServerError` if it came from the network. */
export function networkFailure(hub: Hub, host: string, error: unknown): unknown {
  if (error instanceof ServerError) return error
  if (hub.signal.aborted) return cancelled(hub, error)
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    return passing(hub, `${host} did not answer in time`, { cause: error })
  }
  if (error instanceof SyntaxError) {
    return passing(hub, `${host} answers with something else than JSON; is HF_ENDPOINT right?`, {
      cause: error,
    })
  }
  // undici's errors all are a TypeError whose cause tells the story
  if (!(error instanceof TypeError) || error.cause === undefined) return error
  const { code } = error.cause as NodeJS.ErrnoException
  const detail = [messageOf(error.cause), code].find(Boolean) ?? error.message
  return passing(hub, `${host} cannot be reached, or the connection broke (${detail})`, { cause: error })
}

function cancelled(hub: Hub, cause: unknown): ServerError {
  return new ServerError('cancelled', `${hub.model}: fetching it was cancelled`, { cause })
}

/** Statuses and `X-Error-Code` as huggingface_hub 2.4 reads them (utils/_http.py). */
function refusal(hub: Hub, { status, headers, url }: Response): ServerError {
  const { model, endpoint, token } = hub
  const code = headers.get('x-error-code')
  const fail = (what: string) => new ServerError('load_failed', `${model}: ${what}`)
  if (code === 'GatedRepo') {
    return fail(
      token === undefined
        ? `it is gated: ask for access at ${endpoint}/${model}, then set HF_TOKEN to a token of that account`
        : `it is gated, and HF_TOKEN gives no access: ask for it at ${endpoint}/${model}, with the token's account, ` +
            'and let the token read gated repositories',
    )
  }
  if (code === 'RevisionNotFound') return fail(`it has no revision "${hub.revision}" at ${endpoint}/${model}`)
  if (status === 401 && token !== undefined && code !== 'RepoNotFound') {
    return fail(`${endpoint} refuses HF_TOKEN (401): it is wrong or no longer valid`)
  }
  if (code === 'EntryNotFound') return fail(`${new URL(url).pathname} is not there`)
  // the hub does not tell a stranger whether a private repository exists
  if (status === 401 || status === 404) {
    return fail(
      token === undefined
        ? `there is no such model at ${endpoint}, or it is private: check the name, or set HF_TOKEN`
        : `there is no such model at ${endpoint}, or the account of HF_TOKEN may not read it`,
    )
  }
  if (status === 403)
    return fail(`${endpoint} refuses access (403): HF_TOKEN lacks the permission to read it`)
  const what = `${new URL(url).host} answers with status ${status}`
  if (status !== 408 && status !== 429 && status < 500) return fail(what)
  const seconds = Number(headers.get('retry-after') ?? 0)
  return passing(hub, what, { retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : 0 })
}
