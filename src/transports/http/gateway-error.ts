/** The gateway's errors: `{"error":"…"}`, whatever the route. */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { ERRORS, ServerError } from '../../errors.ts'
import { bodyBytes } from './server.ts'

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
  if (!(error instanceof ServerError)) {
    const isTooLarge = error.code === 'FST_ERR_CTP_BODY_TOO_LARGE'
    return sendRefusal(reply, error.statusCode ?? 500, isTooLarge ? tooLarge(request) : error.message)
  }
  if (error.retryAfterMs !== undefined) reply.header('retry-after', Math.ceil(error.retryAfterMs / 1000))
  return sendRefusal(reply, ERRORS[error.code].http, error.message)
}

function tooLarge(request: FastifyRequest): string {
  const bytes = bodyBytes(request)
  const has = bytes > 0 ? `has ${bytes} bytes` : 'is larger'
  return `the body ${has}; this route takes at most ${request.routeOptions.bodyLimit}`
}
