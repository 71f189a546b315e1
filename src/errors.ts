/** Every way a request, a model or a start can fail; the code says what happened, the table what it means for a client. */
export const ERRORS = {
  invalid_request: { http: 400, retry: false, type: 'invalid_request_error' },
  text_too_long: { http: 400, retry: false, type: 'invalid_request_error' },
  wrong_task: { http: 400, retry: false, type: 'invalid_request_error' },
  model_not_found: { http: 404, retry: false, type: 'invalid_request_error' },
  unauthorized: { http: 401, retry: false, type: 'authentication_error' },
  method_not_allowed: { http: 405, retry: false, type: 'invalid_request_error' },
  wrong_content_type: { http: 415, retry: false, type: 'invalid_request_error' },
  route_not_found: { http: 404, retry: false, type: 'invalid_request_error' },
  request_too_large: { http: 413, retry: false, type: 'invalid_request_error' },
  overloaded: { http: 429, retry: true, type: 'rate_limit_error' },
  cancelled: { http: 499, retry: false, type: 'cancelled_error' },
  poisoned_input: { http: 400, retry: false, type: 'invalid_request_error' },
  non_finite_output: { http: 500, retry: false, type: 'server_error' },
  inference_failed: { http: 500, retry: false, type: 'server_error' },
  thread_died: { http: 500, retry: true, type: 'server_error' },
  revival_failed: { http: 500, retry: true, type: 'server_error' },
  starting: { http: 503, retry: true, type: 'server_error' },
  stopping: { http: 503, retry: true, type: 'server_error' },
  load_failed: { http: 500, retry: false, type: 'server_error' },
  model_invalid: { http: 500, retry: false, type: 'server_error' },
  model_unsupported: { http: 500, retry: false, type: 'server_error' },
  graph_invalid: { http: 500, retry: false, type: 'server_error' },
  provider_unavailable: { http: 500, retry: false, type: 'server_error' },
  port_unavailable: { http: 500, retry: false, type: 'server_error' },
  internal: { http: 500, retry: false, type: 'server_error' },
} as const satisfies Record<string, { http: number; retry: boolean; type: string }>

export type ErrorCode = keyof typeof ERRORS

/** The one error class: its message names the item, the value and the limit. */
export class ServerError extends Error {
  override readonly name = 'ServerError'
  readonly code: ErrorCode
  /** Milliseconds after which a retry is likely to succeed, where that can be told. */
  readonly retryAfterMs: number | undefined

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; retryAfterMs?: number } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryAfterMs = options.retryAfterMs
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

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
