/** The one door to all dialects. */
import { ServerError } from '../errors.ts'
import type { CallOptions, Service } from '../task.ts'
import type { WireRequest } from './dialect.ts'
import { nativeJob, readJob } from './native-job.ts'
import { ENDPOINTS } from './registry.ts'

export type { WireRequest } from './dialect.ts'
export { readJob }

/** Answers a request in the dialect that its route names. Throws `ServerError`; `route_not_found` lists the routes. */
export async function dispatch(
  request: WireRequest,
  service: Service,
  options: CallOptions = {},
): Promise<object> {
  if (request.route === undefined) return nativeJob.answer(request.body, service, options)
  const path = plainPath(request.route)
  const endpoint = ENDPOINTS.find(({ routes }) => routes.includes(path))
  if (endpoint !== undefined) return endpoint.answer(request.body, service, options)
  const served = ENDPOINTS.flatMap(({ routes }) => routes.map((route) => `/v1${route}`)).join(', ')
  throw new ServerError('route_not_found', `route ${request.route} is not served; served are ${served}`)
}

/** True for the listing of models, whose job output is not wrapped in a list. */
export function isModelsRoute(route: string): boolean {
  return plainPath(route) === '/models'
}

/** Base URLs come with `/v1`, without it, with it twice, with doubled and trailing slashes. */
function plainPath(route: string): string {
  const parts =
    route
      .split('?')[0]
      ?.split('/')
      .filter((part) => part !== '') ?? []
  while (parts[0] === 'v1') parts.shift()
  return `/${parts.join('/')}`
}
