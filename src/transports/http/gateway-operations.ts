/** What RunPod's gateway does for its clients. Every success is a 200: their library takes no other status for one. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { sendUnknownJob } from './gateway-error.ts'
import { pathPart, queryNumber } from './gateway-request.ts'
import type { Job } from '../gateway/job.ts'
import { isEnded } from '../gateway/job.ts'
import { briefJson, requestsJson, statusJson, streamJson } from '../gateway/job-json.ts'
import { TTL, readJobRequest } from '../gateway/job-request.ts'
import type { JobStore } from '../gateway/job-store.ts'
import { stopping } from '../../errors.ts'
import { bodyBytes } from './body.ts'
import { clientGone } from './server.ts'

export interface Gateway {
  readonly store: JobStore
  /** For `/health`. */
  readonly workers: () => WorkerCounts
  /** Throws where a webhook may not be sent to. */
  readonly webhooks: { readonly check: (url: string) => void }
  /**
   * A client that leaves before it was told a job's id ends the job. Right where nobody else could ask for it; the
   * platform itself lets such jobs run.
   */
  readonly cancelOnDisconnect: boolean
}

export interface WorkerCounts {
  readonly idle: number
  readonly initializing: number
  readonly ready: number
  readonly running: number
  readonly throttled: number
  readonly unhealthy: number
}

/** Resolves once the reply is sent. */
export type Operation = (
  gateway: Gateway,
  request: FastifyRequest,
  reply: FastifyReply,
) => Promise<FastifyReply>

const WAIT_MS = { min: 1000, max: 300_000, default: 90_000 }
/** Some clients ask again without a pause: each answer takes at least a second while there is nothing to tell. */
const STREAM_WAIT_MS = { min: 1000, max: 10_000, default: 10_000 }
const PAGE = { min: 1, max: 1000, default: 100 }

export const run: Operation = async (gateway, request, reply) => {
  const { id } = submit(gateway, request, false)
  return sendJson(reply, briefJson({ id, status: 'IN_QUEUE' }))
}

export const runSync: Operation = async (gateway, request, reply) => {
  const { id } = submit(gateway, request, true)
  const waitMs = queryNumber(request, 'wait', WAIT_MS) ?? WAIT_MS.default
  return sendAfterWait(reply, id, await hold(gateway, { id, waitMs, reply }))
}

export const status: Operation = async ({ store }, request, reply) => {
  const id = pathPart(request, 'id')
  const job = store.get(id)
  if (job === undefined) return sendUnknownJob(reply, id)
  const ttl = queryNumber(request, 'ttl', TTL)
  if (ttl !== undefined) store.keepFor(id, ttl)
  return sendJson(reply, statusJson(job))
}

export const statusSync: Operation = async ({ store }, request, reply) => {
  const id = pathPart(request, 'id')
  const waitMs = queryNumber(request, 'wait', WAIT_MS) ?? WAIT_MS.default
  return sendAfterWait(reply, id, await store.waitForEnd(id, { waitMs, signal: clientGone(reply) }))
}

export const stream: Operation = async ({ store }, request, reply) => {
  const id = pathPart(request, 'id')
  const waitMs = queryNumber(request, 'wait', STREAM_WAIT_MS) ?? STREAM_WAIT_MS.default
  const part = await store.stream(id, { waitMs, signal: clientGone(reply) })
  return part === undefined ? sendUnknownJob(reply, id) : sendJson(reply, streamJson(part))
}

export const cancel: Operation = async ({ store }, request, reply) => {
  const id = pathPart(request, 'id')
  const job = store.cancel(id)
  return job === undefined ? sendUnknownJob(reply, id) : sendJson(reply, briefJson(job))
}

export const retry: Operation = async ({ store }, request, reply) => {
  const id = pathPart(request, 'id')
  const job = store.retry(id)
  return job === undefined
    ? sendUnknownJob(reply, id)
    : sendJson(reply, briefJson({ id, status: 'IN_QUEUE' }))
}

export const purgeQueue: Operation = async ({ store }, _request, reply) =>
  reply.send({ removed: store.purge(), status: 'completed' })

export const health: Operation = async ({ store, workers }, _request, reply) => {
  const { completed, failed, inProgress, inQueue, retried } = store.counts()
  return reply.send({ jobs: { completed, failed, inProgress, inQueue, retried }, workers: workers() })
}

/** Our own shape: the platform's is not documented. */
export const requests: Operation = async ({ store }, request, reply) => {
  const offset = queryNumber(request, 'offset', { min: 0, max: Number.MAX_SAFE_INTEGER }) ?? 0
  const limit = queryNumber(request, 'limit', PAGE) ?? PAGE.default
  return sendJson(reply, requestsJson(store.list({ offset: Math.trunc(offset), limit: Math.trunc(limit) })))
}

export interface Hold {
  readonly id: string
  readonly waitMs: number
  readonly reply: FastifyReply
}

/** Waits for the end of a job whose id its client does not know yet; see `cancelOnDisconnect`. Throws `stopping` where it cannot come any more. */
export async function hold(gateway: Gateway, { id, waitMs, reply }: Hold): Promise<Job | undefined> {
  const { store, cancelOnDisconnect } = gateway
  const signal = clientGone(reply)
  try {
    const job = await store.waitForEnd(id, { waitMs, signal })
    // Its id means nothing to whoever comes after this process.
    if (store.closed && (job === undefined || !isEnded(job))) throw stopping()
    return job
  } finally {
    if (cancelOnDisconnect && signal.aborted) store.cancel(id)
  }
}

function submit({ store, webhooks }: Gateway, request: FastifyRequest, sync: boolean): Job {
  const asked = readJobRequest(request.body)
  if (asked.webhook !== undefined) webhooks.check(asked.webhook)
  return store.submit({ ...asked, sync, bytes: bodyBytes(request) })
}

function sendAfterWait(reply: FastifyReply, id: string, job: Job | undefined): FastifyReply {
  if (job === undefined) return sendUnknownJob(reply, id)
  return sendJson(reply, isEnded(job) ? statusJson(job) : briefJson(job))
}

function sendJson(reply: FastifyReply, json: Buffer): FastifyReply {
  return reply.type('application/json; charset=utf-8').send(json)
}
