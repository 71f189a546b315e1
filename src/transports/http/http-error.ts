/** What fastify says of a request, in our words. */
import type { FastifyError, FastifyRequest } from 'fastify'
import { ServerError, asServerError } from '../../errors.ts'
import { MAX_BODY_BYTES, bodyBytes, wrongType } from './body.ts'

export function toServerError(error: Error & Partial<FastifyError>, request: FastifyRequest): ServerError {
  if (error instanceof ServerError) return error
  const { code, statusCode = 500 } = error
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return tooLarge(request)
  // a type that is none
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return wrongType(request.headers['content-type'] ?? '')
  const isTheirs = statusCode >= 400 && statusCode < 500
  return isTheirs ? new ServerError('invalid_request', error.message, { cause: error }) : asServerError(error)
}

function tooLarge(request: FastifyRequest): ServerError {
  const limit = request.routeOptions.bodyLimit ?? MAX_BODY_BYTES
  const size = bodyBytes(request)
  const has = size > 0 ? `has ${size} bytes` : 'is larger'
  const [path = ''] = request.url.split('?')
  return new ServerError('request_too_large', `the body ${has}; ${path.slice(0, 100)} takes at most ${limit}`)
}
