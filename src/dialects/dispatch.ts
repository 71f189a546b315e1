/** The one door to all dialects. */
import { ERRORS, ServerError, asServerError } from '../errors.ts'
import type { CallOptions, Service } from '../task.ts'
import type { Endpoint, WireRequest, WireResponse } from './dialect.ts'
import { nativeJob } from './native-job.ts'
import { openaiErrorBody } from './openai.ts'
import { ENDPOINTS } from './registry.ts'

export type { WireRequest, WireResponse } from './dialect.ts'

/** Answers a request in the dialect that its route names, failures included: never rejects. */
export async function dispatch(
  { method, route, body }: WireRequest,
  service: Service,
  options: CallOptions = {},
): Promise<WireResponse> {
  const endpoint = route === undefined ? nativeJob : findEndpoint(route)
  const watched = watchModel(service)
  try {
    if (endpoint === undefined) throw unknownRoute(route)
    if (method !== undefined && method !== endpoint.method) throw wrongMethod(method, endpoint)
    const answer = await endpoint.answer(body, watched, options)
    const { jobOutput } = endpoint
    return {
      status: 200,
      body: answer,
      jobOutput,
      headers: {},
      route: labelOf(endpoint),
      model: watched.model,
    }
  } catch (thrown) {
    return { ...failureOf(asServerError(thrown), endpoint), model: watched.model }
  }
}

/** The answer to a request that fails before anybody has read it. */
export function refuse(route: string, error: ServerError): WireResponse {
  return failureOf(error, findEndpoint(route))
}

function failureOf(error: ServerError, endpoint: Endpoint | undefined): WireResponse {
  const { code, retryAfterMs } = error
  const errorBody = endpoint?.errorBody ?? openaiErrorBody
  return {
    status: ERRORS[code].http,
    body: errorBody(error),
    jobOutput: endpoint?.jobOutput ?? 'list',
    error,
    headers: {
      ...(retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) }),
      ...(code === 'method_not_allowed' && endpoint !== undefined ? { allow: endpoint.method } : {}),
    },
    route: endpoint && labelOf(endpoint),
  }
}

/** A service that tells which model did the work: a client's own spelling is no label for a metric. */
function watchModel(service: Service): Service & { model: string | undefined } {
  const note = <R extends { readonly model: string }>(result: R): R => {
    watched.model = result.model
    return result
  }
  const watched: Service & { model: string | undefined } = {
    model: undefined,
    embed: async (task, options) => note(await service.embed(task, options)),
    rerank: async (task, options) => note(await service.rerank(task, options)),
    classify: async (task, options) => note(await service.classify(task, options)),
    models: () => service.models(),
  }
  return watched
}

/** Base URLs come with `/v1`, without it, with it twice: the path as it is wins, then its twin with or without `/v1`. */
function findEndpoint(route: string): Endpoint | undefined {
  const parts = (route.split('?')[0] ?? '').split('/').filter((part) => part !== '')
  while (parts[0] === 'v1' && parts[1] === 'v1') parts.shift()
  const path = `/${parts.join('/')}`
  const twin = parts[0] === 'v1' ? `/${parts.slice(1).join('/')}` : `/v1${path}`
  const find = (wanted: string) => ENDPOINTS.find(({ routes }) => routes.includes(wanted))
  return find(path) ?? find(twin)
}

function unknownRoute(route: string | undefined): ServerError {
  const served = ENDPOINTS.flatMap(({ routes }) => routes).join(', ')
  return new ServerError(
    'route_not_found',
    `route ${route?.slice(0, 100)} is not served; served are ${served}`,
  )
}

function wrongMethod(method: string, { method: allowed, routes }: Endpoint): ServerError {
  return new ServerError('method_not_allowed', `${method} is not possible on ${routes[0]}; use ${allowed}`)
}

/** A job without a route is none of a client's spellings either. */
function labelOf({ routes }: Endpoint): string {
  return routes[0] ?? 'job'
}
