/**
 * Every way a request, a model or a start can fail; the code says what happened, the table what it means for a client.
 * `type` and `wire` are OpenAI's words for it: programs look for some of its codes.
 */
export const ERRORS = {
  invalid_request: { http: 400, retry: false, type: 'invalid_request_error', wire: 'invalid_request_error' },
  text_too_long: { http: 400, retry: false, type: 'invalid_request_error', wire: 'context_length_exceeded' },
  wrong_task: { http: 400, retry: false, type: 'invalid_request_error', wire: 'wrong_task' },
  model_not_found: { http: 404, retry: false, type: 'invalid_request_error', wire: 'model_not_found' },
  unauthorized: { http: 401, retry: false, type: 'authentication_error', wire: 'invalid_api_key' },
  method_not_allowed: { http: 405, retry: false, type: 'invalid_request_error', wire: 'method_not_allowed' },
  wrong_content_type: { http: 415, retry: false, type: 'invalid_request_error', wire: 'wrong_content_type' },
  route_not_found: { http: 404, retry: false, type: 'invalid_request_error', wire: 'route_not_found' },
  request_too_large: { http: 413, retry: false, type: 'invalid_request_error', wire: 'request_too_large' },
  request_timeout: { http: 408, retry: true, type: 'invalid_request_error', wire: 'request_timeout' },
  deadline_exceeded: { http: 504, retry: false, type: 'server_error', wire: 'deadline_exceeded' },
  overloaded: { http: 429, retry: true, type: 'rate_limit_error', wire: 'rate_limit_exceeded' },
  cancelled: { http: 499, retry: false, type: 'cancelled_error', wire: 'cancelled' },
  poisoned_input: { http: 400, retry: false, type: 'invalid_request_error', wire: 'poisoned_input' },
  non_finite_output: { http: 500, retry: false, type: 'server_error', wire: 'non_finite_output' },
  out_of_memory: { http: 413, retry: false, type: 'invalid_request_error', wire: 'out_of_memory' },
  inference_failed: { http: 500, retry: false, type: 'server_error', wire: 'inference_failed' },
  thread_died: { http: 500, retry: true, type: 'server_error', wire: 'thread_died' },
  revival_failed: { http: 500, retry: true, type: 'server_error', wire: 'revival_failed' },
  device_lost: { http: 503, retry: true, type: 'server_error', wire: 'device_lost' },
  starting: { http: 503, retry: true, type: 'server_error', wire: 'starting' },
  stopping: { http: 503, retry: true, type: 'server_error', wire: 'stopping' },
  load_failed: { http: 500, retry: false, type: 'server_error', wire: 'load_failed' },
  model_invalid: { http: 500, retry: false, type: 'server_error', wire: 'model_invalid' },
  model_unsupported: { http: 500, retry: false, type: 'server_error', wire: 'model_unsupported' },
  graph_invalid: { http: 500, retry: false, type: 'server_error', wire: 'graph_invalid' },
  provider_unavailable: { http: 500, retry: false, type: 'server_error', wire: 'provider_unavailable' },
  port_unavailable: { http: 500, retry: false, type: 'server_error', wire: 'port_unavailable' },
  internal: { http: 500, retry: false, type: 'server_error', wire: 'internal_error' },
} as const satisfies Record<string, { http: number; retry: boolean; type: string; wire: string }>

export type ErrorCode = keyof typeof ERRORS

interface ServerErrorOptions {
  readonly cause?: unknown
  readonly retryAfterMs?: number | undefined
  readonly param?: string | undefined
}

/** The one error class: its message names the item, the value and the limit. */
export class ServerError extends Error {
  override readonly name = 'ServerError'
  readonly code: ErrorCode
  /** Milliseconds after which a retry is likely to succeed, where that can be told. */
  readonly retryAfterMs: number | undefined
  /** The field of the request that is at fault, where it is one. */
  readonly param: string | undefined

  constructor(code: ErrorCode, message: string, { cause, retryAfterMs, param }: ServerErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.retryAfterMs = retryAfterMs
    this.param = param
  }
}

/** For work that comes when no more is taken. */
export function stopping(): ServerError {
  return new ServerError('stopping', 'the worker is stopping and takes no more work')
}

/** For work that its caller gave up. */
export function cancelled(): ServerError {
  return new ServerError('cancelled', 'the request was cancelled')
}

/** An error as it crosses a thread: structured clone keeps the message of an Error but loses its class and code. */
export interface WireError {
  readonly code: ErrorCode
  readonly message: string
}

export function toWireError(error: unknown): WireError {
  return { code: error instanceof ServerError ? error.code : 'internal', message: messageOf(error) }
}

export function fromWireError(wire: WireError): ServerError {
  return new ServerError(wire.code, wire.message)
}

export function asServerError(error: unknown): ServerError {
  return error instanceof ServerError
    ? error
    : new ServerError('internal', messageOf(error), { cause: error })
}

/** What a call failed with that its signal may have ended: then what the signal says of why, where it says so. */
export function whyEnded(error: unknown, signal: AbortSignal | undefined): ServerError {
  const found = asServerError(error)
  const reason: unknown = signal?.reason
  return found.code === 'cancelled' && reason instanceof ServerError ? reason : found
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
