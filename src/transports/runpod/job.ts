/** A RunPod job to its output: what the job loop, the local API and a local run have in common. */
import { dispatch, isModelsRoute, readJob } from '../../dialects/dispatch.ts'
import type { ServerError } from '../../errors.ts'
import { ERRORS, asServerError } from '../../errors.ts'
import type { CallOptions, Service } from '../../task.ts'

export type ErrorStyle = 'failed' | 'incumbent'

/** `error` makes RunPod mark the job FAILED; it is always a string, the message first. */
export type JobResult = { readonly output: unknown } | { readonly error: string }

/** Never throws. A job with `openai_route` answers with a list of one body, as RunPod's gateway expects; models do not. */
export async function runJob(
  job: unknown,
  service: Service,
  style: ErrorStyle,
  options: CallOptions = {},
): Promise<JobResult> {
  let route: string | undefined
  try {
    const request = readJob(job)
    route = request.route
    const body = await dispatch(request, service, options)
    return { output: route === undefined || isModelsRoute(route) ? body : [body] }
  } catch (error) {
    return failure(asServerError(error), route, style)
  }
}

/**
 * `failed`: a mistake fails the job. `incumbent`: the job completes with an error object, as the Python worker's do, and
 * as that worker always says 400.
 */
function failure(error: ServerError, route: string | undefined, style: ErrorStyle): JobResult {
  const { message, code } = error
  if (style === 'incumbent') {
    return { output: { object: 'error', message, type: 'BadRequestError', param: null, code: 400 } }
  }
  if (route === undefined) return { error: message }
  const body = { error: { message, type: ERRORS[code].type, param: null, code } }
  return { error: `${message} ${JSON.stringify(body)}` }
}
