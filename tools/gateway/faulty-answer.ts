/** Answers a worker's request, unless the fault plan has something else in mind for it. */
import { Readable } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import type { FastifyReply } from 'fastify'
import type { Fault, FaultKind, FaultPlan, FaultRoute } from './faults.ts'
import type { Sent } from './job-entry.ts'
import type { Ledger } from './ledger.ts'

export interface FaultContext {
  readonly plan: FaultPlan
  readonly ledger: Ledger
  readonly hangMs: number
}

export interface Answer {
  readonly status: number
  /** JSON in UTF-8. */
  readonly body?: Buffer | undefined
  /** Called once, with the status that the worker was really sent. */
  readonly onSent?: ((sent: Sent, status: number) => void) | undefined
}

export interface FaultyRequest {
  readonly route: FaultRoute
  readonly reply: FastifyReply
  /** Kinds that the protocol could not recover from here. */
  readonly except?: readonly FaultKind[]
  /** What the request is for. Is told of the fault that its answer is to contain, and counts it where it does. */
  readonly effect: (fault: Fault | undefined) => Promise<Answer>
  /** Called instead of it where the fault comes before. */
  readonly onPrevented?: () => void
}

const STATUSES_5XX = [500, 502, 503, 504]

const PIECES = 10
const PIECE_MS = 50

export async function answerFaultily(request: FaultyRequest, context: FaultContext): Promise<FastifyReply> {
  const { route, reply, effect, except = [] } = request
  const { plan, ledger, hangMs } = context
  const planned = plan.next(route)
  const fault = planned === undefined || except.includes(planned.kind) ? undefined : planned
  const watch = watchEnd(reply)
  const refusal = fault && refusalOf(fault, route)
  if (refusal?.when === 'before' || fault?.kind === 'drop-before') request.onPrevented?.()
  if (refusal?.when === 'before') {
    ledger.faultInjected(refusal.kind)
    return refuse(reply, refusal)
  }
  if (fault?.kind === 'drop-before') return drop(reply, () => ledger.faultInjected('drop-before'))

  const answer = await effect(fault)
  const status = refusal?.status ?? answer.status
  watch.onEnd((sent) => answer.onSent?.(sent, status))
  if (watch.isGone()) return reply.hijack()
  if (refusal !== undefined) {
    ledger.faultInjected(refusal.kind)
    return refuse(reply, refusal)
  }
  if (fault?.kind === 'drop-after') return drop(reply, () => ledger.faultInjected('drop-after'))
  if (fault?.kind === 'hang') {
    ledger.faultInjected('hang')
    await setTimeout(hangMs)
    if (watch.isGone()) return reply.hijack()
  }
  if (fault?.kind === 'slow-body' && answer.body !== undefined) {
    ledger.faultInjected('slow-body')
    reply.header('content-length', answer.body.byteLength)
    return send(reply, answer.status, Readable.from(dribble(answer.body)))
  }
  return send(reply, answer.status, answer.body)
}

function send(reply: FastifyReply, status: number, body: Buffer | Readable | undefined): FastifyReply {
  reply.code(status)
  return body === undefined ? reply.send() : reply.type('application/json; charset=utf-8').send(body)
}

interface Refusal {
  readonly kind: FaultKind
  readonly status: number
  readonly when: 'before' | 'after'
  readonly retryAfter?: string
}

/** What a worker posts may have been taken although the answer says that it was not. */
function refusalOf({ kind, choice }: Fault, route: FaultRoute): Refusal | undefined {
  const isPost = route === 'done' || route === 'stream'
  switch (kind) {
    case 'fail-5xx': {
      const status = STATUSES_5XX[Math.floor(choice * 8) % 4] ?? 500
      return { kind, status, when: isPost && choice < 0.5 ? 'after' : 'before' }
    }
    case 'fail-429':
      return { kind, status: 429, when: 'before', ...(choice < 0.5 ? { retryAfter: '1' } : {}) }
    case 'flashboot-400':
      return { kind, status: 400, when: 'before' }
    case 'job-stop-404':
      return { kind, status: 404, when: 'before' }
    default:
      return undefined
  }
}

function refuse(reply: FastifyReply, { status, retryAfter }: Refusal): FastifyReply {
  if (retryAfter !== undefined) reply.header('retry-after', retryAfter)
  return reply.code(status).send({ error: `injected fault: HTTP ${status}` })
}

function drop(reply: FastifyReply, count: () => void): FastifyReply {
  reply.hijack()
  count()
  reply.raw.socket?.destroy()
  return reply
}

async function* dribble(body: Buffer): AsyncGenerator<Buffer> {
  const size = Math.ceil(body.byteLength / PIECES)
  for (let from = 0; from < body.byteLength; from += size) {
    if (from > 0) await setTimeout(PIECE_MS)
    yield body.subarray(from, from + size)
  }
}

/** How the answer ended: told once, at once where it has ended already. */
function watchEnd({ raw }: FastifyReply) {
  let ended: Sent | undefined
  let listener: (sent: Sent) => void = () => {}
  raw.once('close', () => {
    ended = raw.writableFinished ? 'whole' : raw.headersSent ? 'partial' : 'none'
    listener(ended)
  })
  return {
    isGone: () => ended !== undefined,
    onEnd: (tell: (sent: Sent) => void) => {
      if (ended === undefined) listener = tell
      else tell(ended)
    },
  }
}
