/** RunPod's routes, and the probes, in the terms of OpenAPI. */
import type { Json } from '../../dialects/openapi.ts'

interface RouteDocs {
  readonly path: string
  readonly method: 'get' | 'post'
  readonly summary: string
  readonly body?: object
  /** Milliseconds, or a count. */
  readonly query?: string
}

const JOB = { input: { input: ['Hello world'] } }

const JOB_ROUTES: readonly RouteDocs[] = [
  { path: '/run', method: 'post', summary: 'Queues a job and tells its id', body: JOB },
  {
    path: '/runsync',
    method: 'post',
    summary: 'Queues a job and waits for its end',
    body: JOB,
    query: 'wait',
  },
  { path: '/status/{id}', method: 'get', summary: 'A job', query: 'ttl' },
  { path: '/status-sync/{id}', method: 'get', summary: 'A job, once it has ended', query: 'wait' },
  {
    path: '/stream/{id}',
    method: 'get',
    summary: 'What a job has put out since it was last asked',
    query: 'wait',
  },
  { path: '/cancel/{id}', method: 'post', summary: 'Ends a job' },
  { path: '/retry/{id}', method: 'post', summary: 'Queues a failed job again' },
  { path: '/purge-queue', method: 'post', summary: 'Removes the jobs that wait' },
  { path: '/requests', method: 'get', summary: 'The jobs known', query: 'limit' },
  { path: '/v2/{endpoint}/health', method: 'get', summary: 'Counts of jobs and workers' },
]

const PROBES: readonly RouteDocs[] = [
  { path: '/', method: 'get', summary: 'Name, version and state of the server' },
  {
    path: '/ping',
    method: 'get',
    summary: '204 while models load, 200 when ready, 503 when not to be asked',
  },
  { path: '/health', method: 'get', summary: '200 as long as waiting may help' },
  { path: '/metrics', method: 'get', summary: 'Metrics as Prometheus reads them' },
]

/** Routes for which no key is asked. */
const OPEN = ['/', '/ping', '/health']

export const JOBS_TAG = {
  name: 'Jobs',
  description:
    "RunPod's routes, at the root and below /v2/{endpoint}; below /openai the dialects' routes are jobs as well.",
}
export const PROBES_TAG = { name: 'Probes' }

export const JOB_SCHEMAS = {
  Job: {
    type: 'object',
    required: ['id', 'status'],
    properties: {
      id: { type: 'string' },
      status: { enum: ['IN_QUEUE', 'IN_PROGRESS', 'COMPLETED', 'FAILED', 'CANCELLED', 'TIMED_OUT'] },
      output: { description: 'What the worker answers' },
      error: { type: 'string' },
      delayTime: { type: 'integer', description: 'Milliseconds from submission to pick-up' },
      executionTime: { type: 'integer', description: 'Milliseconds from pick-up to the end' },
      workerId: { type: 'string' },
      retries: { type: 'integer' },
    },
  },
  JobError: { type: 'object', required: ['error'], properties: { error: { type: 'string' } } },
}

export function jobPaths(): Record<string, Json> {
  const errors = {
    400: jobError('The body or the job is wrong'),
    401: jobError('The key is missing or wrong'),
    404: jobError('There is no such job'),
    413: jobError('The body is too large'),
    429: jobError('The queue is full'),
    503: jobError('The server stops'),
  }
  return Object.fromEntries(JOB_ROUTES.map((route) => [route.path, operation(route, JOBS_TAG.name, errors)]))
}

export function probePaths(): Record<string, Json> {
  return Object.fromEntries(PROBES.map((route) => [route.path, operation(route, PROBES_TAG.name, {})]))
}

function operation({ path, method, summary, body, query }: RouteDocs, tag: string, errors: Json): Json {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
  const inPath = names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } }))
  const inQuery = query === undefined ? [] : [{ name: query, in: 'query', schema: { type: 'integer' } }]
  const isJob = tag === JOBS_TAG.name && (path.includes('{id}') || body !== undefined)
  const answer = isJob ? { $ref: '#/components/schemas/Job' } : { type: 'object' }
  const content = path === '/metrics' ? { 'text/plain': {} } : { 'application/json': { schema: answer } }
  return {
    [method]: {
      operationId: `${method}_${path.replaceAll(/\W+/g, '_')}`,
      tags: [tag],
      summary,
      parameters: [...inPath, ...inQuery],
      ...(OPEN.includes(path) ? { security: [] } : {}),
      ...(body === undefined ? {} : { requestBody: jobBody(body) }),
      responses: { 200: { description: 'The answer', content }, ...errors },
    },
  }
}

function jobBody(example: object) {
  const input = { description: "A dialect's request with its route, or a body of our own" }
  const schema = { type: 'object', required: ['input'], properties: { input } }
  return { required: true, content: { 'application/json': { schema, example } } }
}

function jobError(description: string) {
  const schema = { $ref: '#/components/schemas/JobError' }
  return { description, content: { 'application/json': { schema } } }
}
