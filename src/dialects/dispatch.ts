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
  { route, body }: WireRequest,
  service: Service,
  options: CallOptions = {},
): Promise<WireResponse> {
  const endpoint = route === undefined ? nativeJob : findEndpoint(route)
  const jobOutput = endpoint?.jobOutput ?? 'list'
  try {
    if (endpoint === undefined) throw unknownRoute(route)
    return { status: 200, body: await endpoint.answer(body, service, options), jobOutput }
  } catch (thrown) {
    const error = asServerError(thrown)
    const errorBody = endpoint?.errorBody ?? openaiErrorBody
    return { status: ERRORS[error.code].http, body: errorBody(error), jobOutput, error }
  }
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
