/** The one door to all dialects. */
import { ERRORS, ServerError, whyEnded } from '../errors.ts'
import type { CallOptions, Service } from '../task.ts'
import { objectErrors } from './answers/error-shapes.ts'
import type { Endpoint, WireRequest, WireResponse } from './dialect.ts'
import type { Match } from './find-endpoint.ts'
import { findEndpoint } from './find-endpoint.ts'
import { nativeJob } from './native-job.ts'
import { readPriority } from './read-priority.ts'
import { ENDPOINTS } from './registry.ts'
import { MAX_MODEL_NAME } from './requests/fields.ts'
import { WatchedService } from './watched-service.ts'

export type { WireRequest, WireResponse } from './dialect.ts'

/** Answers a request in the dialect that its route names, failures included: never rejects. */
export async function dispatch(
  request: WireRequest,
  service: Service,
  options: CallOptions = {},
): Promise<WireResponse> {
  const match = matchOf(request)
  const watched = new WatchedService(service)
  try {
    if (match === undefined) throw unknownRoute(request.route)
    const { endpoint, pathModel } = match
    expectMethod(request, endpoint)
    if (pathModel !== undefined) expectModelName(pathModel)
    const priority = readPriority(request) ?? options.priority
    const asked = { body: request.body, pathModel }
    const answer = await endpoint.answer(asked, watched, { ...options, priority })
    return {
      status: 200,
      body: answer,
      jobOutput: endpoint.jobOutput,
      headers: watched.headers,
      route: labelOf(endpoint),
      model: watched.model,
    }
  } catch (thrown) {
    return { ...failureOf(whyEnded(thrown, options.signal), match?.endpoint), model: watched.model }
  }
}

/** The answer to a request that fails before a dialect has seen it; undefined: before it has said what it wants. */
export function refuse(request: WireRequest | undefined, error: ServerError): WireResponse {
  return failureOf(error, request && matchOf(request)?.endpoint)
}

function matchOf({ method, route, body }: WireRequest): Match | undefined {
  if (route === undefined) return { endpoint: nativeJob, pathModel: undefined }
  return findEndpoint(ENDPOINTS, { method: method === 'HEAD' ? 'GET' : method, route, body })
}

/** What a client is told to wait where nobody can tell. */
const RETRY_MS = 1000

function failureOf(error: ServerError, endpoint: Endpoint | undefined): WireResponse {
  const errors = endpoint?.errors ?? objectErrors
  const status = errors.status?.(error) ?? ERRORS[error.code].http
  return {
    status,
    body: errors.body(error),
    jobOutput: endpoint?.jobOutput ?? 'list',
    error,
    brief: (errors.brief ?? errors.body)(error),
    headers: {
      ...retryHeaders(error, status),
      ...(status === 405 && endpoint !== undefined ? { allow: endpoint.method } : {}),
    },
    route: endpoint && labelOf(endpoint),
  }
}

/** OpenAI's libraries send again what fails with 408, 409, 429 or 5xx, unless told that it would fail again. */
function retryHeaders(
  { code, retryAfterMs = RETRY_MS }: ServerError,
  status: number,
): Record<string, string> {
  if (!ERRORS[code].retry) return { 'x-should-retry': 'false' }
  if (status !== 429 && status !== 503) return {}
  return {
    'retry-after': String(Math.ceil(retryAfterMs / 1000)),
    'retry-after-ms': String(Math.ceil(retryAfterMs)),
  }
}

function unknownRoute(route: string | undefined): ServerError {
  const served = ENDPOINTS.filter(({ docs }) => docs !== undefined).map(({ routes }) => routes[0])
  return new ServerError(
    'route_not_found',
    `route ${route?.slice(0, 100)} is not served; served are ${[...new Set(served)].join(', ')}`,
  )
}

function expectMethod({ method }: WireRequest, { method: allowed, routes }: Endpoint): void {
  // A job has none, and of a GET some want the headers only.
  if (method === undefined || method === allowed || (method === 'HEAD' && allowed === 'GET')) return
  throw new ServerError('method_not_allowed', `${method} is not possible on ${routes[0]}; use ${allowed}`)
}

/** As long as one in a body may be: it is echoed. */
function expectModelName(name: string): void {
  if (name.length <= MAX_MODEL_NAME) return
  throw new ServerError(
    'invalid_request',
    `the model in the path is ${name.length} characters long; it must be at most ${MAX_MODEL_NAME}`,
  )
}

/** A job without a route is none of a client's spellings either. */
function labelOf({ routes }: Endpoint): string {
  return routes[0] ?? 'job'
}
