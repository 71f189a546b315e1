/** The gateway's errors: `{"error":"…"}`, whatever the route. */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { ServerError } from '../../errors.ts'
import { ERRORS } from '../../errors.ts'
import { toServerError } from './http-error.ts'

export function sendRefusal(reply: FastifyReply, status: number, error: string): FastifyReply {
  return reply.code(status).send({ error })
}

export function sendUnknownJob(reply: FastifyReply, id: string): FastifyReply {
  return sendRefusal(reply, 404, `there is no job ${JSON.stringify(id)}, or it is no longer known`)
}

export function sendWrongMethod(
  reply: FastifyReply,
  method: string,
  methods: readonly string[],
): FastifyReply {
  const allow = methods.join(', ')
  return sendRefusal(reply.header('allow', allow), 405, `${method} is not allowed here; allowed: ${allow}`)
}

export function sendError(
  error: FastifyError | ServerError,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const { code, message, retryAfterMs } = toServerError(error, request)
  if (retryAfterMs !== undefined) reply.header('retry-after', Math.ceil(retryAfterMs / 1000))
  return sendRefusal(reply, ERRORS[code].http, message)
}
