/** How failures look to the clients of each family, written out. */
import { isDeepStrictEqual } from 'node:util'
import type { ErrorCode } from '../../../src/errors.ts'

export type ErrorFamily = 'object' | 'tei' | 'deepinfra' | 'job'

export interface Failure {
  readonly code: ErrorCode
  readonly status: number
  /** On routes of Text Embeddings Inference. */
  readonly teiStatus: number
  readonly type: string
  readonly wire: string
  readonly teiType: string
}

const row = (
  ...[code, status, type, wire, teiType, teiStatus = status]: readonly [
    ErrorCode,
    number,
    string,
    string,
    string,
    number?,
  ]
): Failure => ({ code, status, type, wire, teiType, teiStatus })

const MISTAKE = 'invalid_request_error'

export const FAILURES: readonly Failure[] = [
  row('invalid_request', 400, MISTAKE, 'invalid_request_error', 'Validation'),
  row('text_too_long', 400, MISTAKE, 'context_length_exceeded', 'Tokenizer'),
  row('wrong_task', 400, MISTAKE, 'wrong_task', 'Validation'),
  row('poisoned_input', 400, MISTAKE, 'poisoned_input', 'Validation'),
  row('model_not_found', 404, MISTAKE, 'model_not_found', 'Validation'),
  row('method_not_allowed', 405, MISTAKE, 'method_not_allowed', 'Validation'),
  row('route_not_found', 404, MISTAKE, 'route_not_found', 'Validation'),
  row('request_too_large', 413, MISTAKE, 'request_too_large', 'Validation'),
  row('overloaded', 429, 'rate_limit_error', 'rate_limit_exceeded', 'Overloaded'),
  row('inference_failed', 500, 'server_error', 'inference_failed', 'Backend'),
  row('non_finite_output', 500, 'server_error', 'non_finite_output', 'Backend'),
  row('thread_died', 500, 'server_error', 'thread_died', 'Backend'),
  row('revival_failed', 500, 'server_error', 'revival_failed', 'Unhealthy'),
  row('internal', 500, 'server_error', 'internal_error', 'Backend'),
  row('starting', 503, 'server_error', 'starting', 'Overloaded', 429),
  row('stopping', 503, 'server_error', 'stopping', 'Overloaded', 429),
]

/** What a failed job's string ends with. */
export function briefBody(failure: Failure, family: ErrorFamily, message: string): unknown {
  const { type, wire } = failure
  if (family === 'object') return { error: { message, type, param: null, code: wire } }
  return errorBody(failure, family, message)
}

export function failureOf(code: ErrorCode): Failure {
  const found = FAILURES.find((failure) => failure.code === code)
  if (found === undefined) throw new Error(`${code} is not in the table`)
  return found
}

export function statusOf({ status, teiStatus }: Failure, family: ErrorFamily): number {
  return family === 'tei' ? teiStatus : status
}

/** `param`: the field at fault, where the failure is that of a field. */
export function errorBody(
  { type, wire, teiType }: Failure,
  family: ErrorFamily,
  ...[message, param = null]: readonly [string, (string | null)?]
): unknown {
  const bodies: Record<ErrorFamily, unknown> = {
    object: { error: { message, type, param, code: wire }, message, detail: message },
    tei: { error: message, error_type: teiType },
    deepinfra: { detail: { error: message } },
    job: undefined,
  }
  return bodies[family]
}

/** Whether clients of a family can show it: a failure of the table, with any message. */
export function isErrorBody(body: unknown, family: ErrorFamily): boolean {
  const { error, detail } = body as { error?: unknown; detail?: unknown }
  const shown = {
    object: detail,
    tei: error,
    deepinfra: (detail as { error?: unknown } | undefined)?.error,
    job: undefined,
  }
  const message = shown[family]
  if (typeof message !== 'string' || message === '') return false
  const param = paramOf(body)
  if (param !== null && !message.includes(param)) return false
  return FAILURES.some((failure) => isDeepStrictEqual(body, errorBody(failure, family, message, param)))
}

/** The field that a failure names to clients of objects. */
export function paramOf(body: unknown): string | null {
  const { error } = (body ?? {}) as { error?: { param?: string | null } }
  return error?.param ?? null
}

const TEI: readonly ErrorFamily[] = ['tei']

/** Who understands the errors of a route; clients of objects, unless it is here. */
export const FAMILIES: Readonly<Record<string, readonly ErrorFamily[]>> = {
  '/embed': TEI,
  '/embed_all': TEI,
  '/embed_sparse': TEI,
  '/predict': TEI,
  '/similarity': TEI,
  '/tokenize': TEI,
  '/decode': TEI,
  '/info': TEI,
  '/info/*': TEI,
  '/': TEI,
  '/invocations': TEI,
  '/models/*': TEI,
  '/pipeline/feature-extraction/*': TEI,
  '/pipeline/sentence-similarity/*': TEI,
  // the body tells
  '/rerank': ['tei', 'object'],
  '/v1/inference/*': ['deepinfra'],
}
