/** A RunPod job to its output: what the job loop, the local API and a local run have in common. */
import type { WireRequest, WireResponse } from '../../dialects/dispatch.ts'
import { dispatch } from '../../dialects/dispatch.ts'
import { MAX_DEPTH, isDeeper, isRecord, show } from '../../base/json-value.ts'
import { ServerError, asServerError } from '../../errors.ts'
import type { CallOptions, Service } from '../../task.ts'

/**
 * `failed`: a mistake fails the job. `incumbent`: the job completes with an error object, as the Python worker's do, and
 * as that worker always says 400.
 */
export type ErrorStyle = 'failed' | 'incumbent'

/** `error` makes RunPod mark the job FAILED; it is always a string, the message first. */
export type JobResult = { readonly output: unknown } | { readonly error: string }

export interface JobOptions extends CallOptions {
  readonly errorStyle: ErrorStyle
  /** Told of every answer, failures included, that a dialect gave. */
  readonly onAnswer?: ((answer: WireResponse, ms: number) => void) | undefined
}

/** Never rejects. */
export async function runJob(job: unknown, service: Service, options: JobOptions): Promise<JobResult> {
  const { errorStyle, onAnswer, ...callOptions } = options
  const start = performance.now()
  let request: WireRequest
  try {
    request = readJob(job)
  } catch (error) {
    return failure(asServerError(error), undefined, errorStyle)
  }
  const answer = await dispatch(request, service, { ...callOptions, ...readPolicy(job) })
  onAnswer?.(answer, performance.now() - start)
  const { body, brief, jobOutput, error } = answer
  if (error !== undefined) return failure(error, brief, errorStyle)
  return { output: request.route === undefined || jobOutput === 'bare' ? body : [body] }
}

/** `brief`: what the dialect says of the error, for clients that see the job's string through RunPod's gateway. */
function failure({ message }: ServerError, brief: object | undefined, style: ErrorStyle): JobResult {
  if (style === 'incumbent') {
    return { output: { object: 'error', message, type: 'BadRequestError', param: null, code: 400 } }
  }
  return { error: brief === undefined ? message : `${message} ${JSON.stringify(brief)}` }
}

/** Any of them tells that an object is a job's input. */
const KNOWN_KEYS = ['input', 'query', 'queries', 'docs', 'documents', 'openai_route']

/**
 * What stands in a job's `input`, as a route and a body. Also understood: texts given directly as `input` with their
 * settings beside it, and an input that a client wrapped twice. Throws `invalid_request`.
 */
function readJob(job: unknown): WireRequest {
  if (isDeeper(job, MAX_DEPTH)) {
    throw new ServerError('invalid_request', `the job has lists or objects in more than ${MAX_DEPTH} levels`)
  }
  if (!isRecord(job))
    throw new ServerError('invalid_request', `the job is ${show(job)}; it must be an object`)
  const { input } = job
  if (typeof input === 'string' || Array.isArray(input)) return { route: undefined, body: bareBody(job) }
  if (!isRecord(input))
    throw new ServerError('invalid_request', `the job's input is ${show(input)}; it must be an object`)
  const inner = input['input']
  const fields = isRecord(inner) && KNOWN_KEYS.some((key) => key in inner) ? inner : input
  const { openai_route: route, openai_input: body } = fields
  if (route === undefined || route === null) return { route: undefined, body: fields }
  if (typeof route === 'string' && route !== '') return { route, body: body ?? {} }
  throw new ServerError(
    'invalid_request',
    `openai_route is ${show(route)}; it must be a path such as /v1/embeddings`,
  )
}

/** What a job's policy means for the engine. The platform reads it too: a value that it would refuse does not arrive here. */
function readPolicy(job: unknown): Pick<CallOptions, 'priority' | 'withinMs'> {
  const policy = isRecord(job) ? job['policy'] : undefined
  if (!isRecord(policy)) return {}
  const { lowPriority, executionTimeout } = policy
  return {
    priority: lowPriority === true ? 'low' : undefined,
    withinMs: typeof executionTimeout === 'number' && executionTimeout > 0 ? executionTimeout : undefined,
  }
}

/** What stands around the input of any job. */
const JOB_KEYS = ['id', 'webhook', 'policy', 's3Config']

function bareBody(job: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(job).filter(([key]) => !JOB_KEYS.includes(key)))
}
