import type { FastifyInstance } from 'fastify'
import type { Ledger } from './ledger.ts'

/** Routes that answer with a job as it ended. */
const ROUTES = /\/(?:runsync|status\/:id|status-sync\/:id)$/

// Keys are in the order of the alphabet, and the only one before `id` that a worker writes is `error`, a string, in which
// these quotes would be escaped.
const ID = /"id":"([^"]+)"/
const ENDED = /"status":"(?:COMPLETED|FAILED|CANCELLED|TIMED_OUT)"(?:,"workerId":"[^"]*")?\}$/

/** Far beyond any error, and any worker id. */
const SEARCHED_BYTES = 65_536

/** Notes what clients are told of jobs that have ended: the same, however often they ask. */
export function watchAnswers(app: FastifyInstance, ledger: Ledger): void {
  app.addHook('onSend', async (request, _reply, payload) => {
    if (!Buffer.isBuffer(payload) || !ROUTES.test(request.routeOptions.url ?? '')) return payload
    const id = ID.exec(payload.toString('latin1', 0, SEARCHED_BYTES))?.[1]
    const end = payload.toString('latin1', Math.max(0, payload.byteLength - SEARCHED_BYTES))
    if (id !== undefined && ENDED.test(end)) ledger.clientAnswered(id, payload)
    return payload
  })
}
