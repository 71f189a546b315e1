/** The side of RunPod's gateway that workers talk to: they take jobs, post results, and show that they live. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ServerError } from '../../src/errors.ts'
import { clientGone } from '../../src/transports/http/server.ts'
import type { Answer, FaultContext } from './faulty-answer.ts'
import { answerFaultily } from './faulty-answer.ts'
import { takeResult } from './job-done.ts'
import type { TakeContext } from './take-jobs.ts'
import { takeJobs } from './take-jobs.ts'
import type { WorkerUrl } from './worker-url.ts'
import { readWorkerUrl } from './worker-url.ts'

export interface WorkerRoutesOptions extends TakeContext {
  readonly endpointId: string
  /** Must stand in `Authorization` as it is; undefined: not asked for. */
  readonly workerKey: string | undefined
  readonly faults: FaultContext
  /** How long job-take and job-stop wait for something to tell. */
  readonly holdMs: number
  /** See `JobDoneOptions`. */
  readonly strict: boolean
  /** A worker asks to be replaced. */
  readonly onStopPod: (workerId: string) => void
  /** A worker says that it cannot start. */
  readonly onUnhealthy: (workerId: string, reason: string) => void
}

const MAX_BATCH = 10_000
const MAX_CHUNK_BYTES = 1_000_000
/** Results that are too large are read all the same: their worker shall be told so. */
const BODY_LIMIT_BYTES = 64_000_000

type Operation = 'job-take' | 'job-take-batch' | 'job-stop' | 'job-done' | 'job-stream' | 'ping'
type Serve = (call: Call, options: WorkerRoutesOptions) => Promise<FastifyReply>

interface Call extends WorkerUrl {
  readonly reply: FastifyReply
  readonly body: Buffer | undefined
}

/** Registers them under `/v2/<endpointId>`. */
export function workerRoutes(app: FastifyInstance, options: WorkerRoutesOptions): void {
  const { endpointId, workerKey } = options
  app.removeAllContentTypeParsers()
  // A result that is no JSON is for job-done to judge.
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: BODY_LIMIT_BYTES }, (_request, body, done) =>
    done(null, body),
  )
  app.addHook('onRequest', async (request) => checkKey(request, workerKey))
  const route = (method: 'GET' | 'POST', operation: Operation, serve: Serve) =>
    app.route({
      method,
      url: `/v2/${endpointId}/${operation}/*`,
      bodyLimit: BODY_LIMIT_BYTES,
      handler: (request, reply) => serve(readCall(request, reply, operation), options),
    })
  route('GET', 'job-take', (call, options) => take(call, undefined, options))
  route('GET', 'job-take-batch', (call, options) => take(call, batchSizeOf(call), options))
  route('GET', 'job-stop', stop)
  route('POST', 'job-done', done)
  route('POST', 'job-stream', stream)
  route('GET', 'ping', ping)
}

function take(
  { workerId, reply }: Call,
  batchSize: number | undefined,
  options: WorkerRoutesOptions,
): Promise<FastifyReply> {
  const { fleet, faults, holdMs } = options
  fleet.seen(workerId)
  const wish = { workerId, batchSize, waitMs: holdMs, signal: clientGone(reply) }
  return answerFaultily(
    {
      route: 'take',
      reply,
      // Who never pings could never be found out not to have received its jobs.
      except: fleet.hasPinged(workerId) ? [] : ['drop-after'],
      effect: (fault) => takeJobs(wish, fault, options),
    },
    faults,
  )
}

function stop({ workerId, reply }: Call, options: WorkerRoutesOptions): Promise<FastifyReply> {
  const { fleet, store, faults, holdMs } = options
  fleet.seen(workerId)
  const signal = clientGone(reply)
  const effect = async (): Promise<Answer> => {
    const ids = await store.nextStops(workerId, { waitMs: holdMs, signal }).catch(() => [])
    return ids.length === 0 ? { status: 204 } : answer(200, { jobsToStop: ids })
  }
  return answerFaultily({ route: 'stop', reply, effect }, faults)
}

function done(
  { workerId, jobId = '', reply, body }: Call,
  options: WorkerRoutesOptions,
): Promise<FastifyReply> {
  const { fleet, ledger, faults, onStopPod } = options
  fleet.seen(workerId)
  const effect = async (): Promise<Answer> => {
    const { status, post, stopPod } = await takeResult({ workerId, jobId, body }, options)
    return {
      ...answer(status, status === 200 ? {} : { error: 'json is invalid, or too large' }),
      onSent: (sent, sentStatus) => {
        if (post !== undefined) ledger.postAnswered(post, sentStatus, sent)
        // Otherwise the worker asks again.
        if (stopPod && sent === 'whole' && sentStatus === status) onStopPod(workerId)
      },
    }
  }
  const onPrevented = () => ledger.resultRefused(jobId, workerId)
  return answerFaultily({ route: 'done', reply, effect, onPrevented }, faults)
}

function stream(
  { workerId, jobId = '', reply, body }: Call,
  options: WorkerRoutesOptions,
): Promise<FastifyReply> {
  const { fleet, store, faults } = options
  fleet.seen(workerId)
  const effect = async (): Promise<Answer> => {
    if (body === undefined || body.byteLength > MAX_CHUNK_BYTES || !isJson(body)) {
      return answer(400, { error: 'json is invalid, or too large' })
    }
    store.addChunk(jobId, body)
    return answer(200, {})
  }
  return answerFaultily({ route: 'stream', reply, effect }, faults)
}

function ping({ workerId, query, reply }: Call, options: WorkerRoutesOptions): Promise<FastifyReply> {
  const { fleet, faults, onUnhealthy } = options
  const effect = async (): Promise<Answer> => {
    if (query.get('status') === 'unhealthy') {
      onUnhealthy(workerId, `${query.get('check')}: ${query.get('reason')}`)
    } else {
      fleet.pinged(workerId, (query.get('job_id') ?? '').split(',').filter(Boolean))
    }
    return answer(200, {})
  }
  return answerFaultily({ route: 'ping', reply, effect }, faults)
}

function readCall(request: FastifyRequest, reply: FastifyReply, operation: Operation): Call {
  const body = Buffer.isBuffer(request.body) ? request.body : undefined
  return { ...readWorkerUrl(request.url, operation), reply, body }
}

function batchSizeOf({ query }: Call): number {
  const size = Math.trunc(Number(query.get('batch_size')))
  return Math.min(MAX_BATCH, Math.max(1, size || 1))
}

function answer(status: number, body: object): Answer {
  return { status, body: Buffer.from(JSON.stringify(body)) }
}

function isJson(body: Buffer): boolean {
  try {
    JSON.parse(body.toString('utf8'))
    return true
  } catch {
    return false
  }
}

function checkKey({ headers }: FastifyRequest, workerKey: string | undefined): void {
  if (workerKey === undefined || headers.authorization === workerKey) return
  throw new ServerError(
    'unauthorized',
    'the Authorization header is not the key of the workers; it must be RUNPOD_AI_API_KEY as it is, without "Bearer"',
  )
}
