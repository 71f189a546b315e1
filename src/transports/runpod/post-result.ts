import type { Pause } from '../../base/abort.ts'
import type { Log } from '../../base/log.ts'
import { messageOf } from '../../errors.ts'
import { backoffMs, readRetryAfter } from './backoff.ts'
import { SIZE_HINT, megabytes } from './deliver.ts'
import { ResultReplaced } from './job-source.ts'
import type { EncodedResult, Receipt } from './job-source.ts'
import type { Outage } from './outage.ts'
import type { PlatformHttp, Reply } from './platform-http.ts'

export interface ResultPost {
  readonly jobId: string
  readonly url: string
  readonly result: EncodedResult
  readonly signal: AbortSignal
}

export interface PostContext {
  readonly http: PlatformHttp
  readonly log: Log
  readonly outage: Outage
  /** Wall clock, in milliseconds. */
  readonly now: () => number
  readonly pause: Pause
}

/** A large result over a slow line. */
const POST_LIMIT_MS = 120_000
/** Then the platform has long given the job up. */
const GIVE_UP_MS = 600_000
const REFUSED_MS = 15_000

/** Smaller outputs go as one piece: a copy costs less than packets of their own. */
const COPIED_BYTES = 65_536

const RETRIED = [408, 425, 429]
const REFUSED = [401, 403]
const UNWANTED = [404, 410]

/**
 * Posts a result until it is taken or known to be unwanted. One that the platform rejects is replaced by an error, so that
 * the job fails instead of completing without output: throws `ResultReplaced` then. Throws where the result is lost, and
 * what aborted it.
 */
export async function postResult(post: ResultPost, context: PostContext): Promise<Receipt> {
  const { jobId, result } = post
  const { log } = context
  const body = bodyOf(result)
  const status = await postUntilAnswered(post, body, context)
  const receipt = readReceipt(status, jobId, log)
  if (receipt !== undefined) return receipt
  const bytes = body.reduce((sum, part) => sum + part.byteLength, 0)
  log('error', { event: 'result_rejected', jobId, status, bytes })
  const error = `the platform rejected the result, ${megabytes(bytes)}, with HTTP ${status}; ${SIZE_HINT}`
  const replacement = bodyOf({ outcome: { error }, stopPod: result.stopPod })
  const again = await postUntilAnswered(post, replacement, context)
  const otherReceipt = readReceipt(again, jobId, log)
  if (otherReceipt === 'delivered') throw new ResultReplaced(error)
  if (otherReceipt === 'unwanted') return otherReceipt
  throw new Error(`HTTP ${status} for the result, HTTP ${again} for the error in its place`)
}

/** Raw JSON under this type is what RunPod's own worker sends, so it is known to be understood. */
export function postHeaders(jobId: string): Record<string, string> {
  return {
    'content-type': 'application/x-www-form-urlencoded',
    'x-request-id': encodeURIComponent(jobId.toWellFormed()),
  }
}

/** In parts: a large output must not be copied, least of all while it waits for a platform that is away. */
function bodyOf({ outcome, stopPod }: EncodedResult): readonly Uint8Array[] {
  const end = stopPod ? ',"stopPod":true}' : '}'
  if ('error' in outcome) return [Buffer.from(`{"error":${JSON.stringify(outcome.error)}${end}`)]
  const parts = [Buffer.from('{"output":'), outcome.output.json, Buffer.from(end)]
  return outcome.output.json.byteLength < COPIED_BYTES ? [Buffer.concat(parts)] : parts
}

/** Undefined where the result was rejected. */
function readReceipt(status: number, jobId: string, log: Log): Receipt | undefined {
  if (status < 300) return 'delivered'
  if (!UNWANTED.includes(status)) return undefined
  log('warn', { event: 'result_unwanted', jobId, status })
  return 'unwanted'
}

/** The status, one for which there is no use in trying again. */
async function postUntilAnswered(
  { jobId, url, signal }: ResultPost,
  body: readonly Uint8Array[],
  { http, log, outage, now, pause }: PostContext,
): Promise<number> {
  const headers = postHeaders(jobId)
  const deadlineMs = now() + GIVE_UP_MS
  for (let failures = 1; ; failures++) {
    let reply: Reply | undefined
    let error = `no answer within ${POST_LIMIT_MS / 1000} seconds`
    try {
      reply = await http.send({ method: 'POST', url, headers, body, signal, limitMs: POST_LIMIT_MS })
    } catch (cause) {
      if (signal.aborted) throw cause
      error = messageOf(cause)
    }
    if (reply !== undefined && !isRetried(reply.status)) return reply.status
    if (reply !== undefined) error = `HTTP ${reply.status}`
    const retryMs = Math.round(retryAfter(reply, failures, now()))
    if (now() + retryMs > deadlineMs) throw new Error(`not taken in ${GIVE_UP_MS / 60_000} minutes: ${error}`)
    const count = outage.fail()
    if (count !== undefined) {
      const isRefused = reply !== undefined && REFUSED.includes(reply.status)
      log(isRefused ? 'error' : 'warn', { event: 'result_retry', jobId, error, retryMs, count })
    }
    await pause(retryMs, signal)
  }
}

/** Redirects are not followed: one of these will pass, or the time will be up. */
function isRetried(status: number): boolean {
  return (
    status >= 500 || (status >= 300 && status < 400) || RETRIED.includes(status) || REFUSED.includes(status)
  )
}

function retryAfter(reply: Reply | undefined, failures: number, nowMs: number): number {
  if (reply !== undefined && REFUSED.includes(reply.status)) return REFUSED_MS
  return readRetryAfter(reply?.retryAfter, nowMs) ?? backoffMs(failures)
}
