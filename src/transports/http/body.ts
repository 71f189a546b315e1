/** A request's body: how much of one is taken, and how it is read. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ServerError, asServerError, messageOf } from '../../errors.ts'
import { expectModestJson } from './json-shape.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Of the body as it came; 0 until it is read. */
    readBytes: number
  }
}

/** RunPod's load balancer passes that much on. */
export const MAX_BODY_BYTES = 30_000_000

const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i

/** `JSON.parse` as it is: nobody merges what clients send, so a key named `__proto__` is a key like others. */
export function readJson(app: FastifyInstance, anyContentType: boolean): void {
  app.decorateRequest('readBytes', 0)
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    request.readBytes = body.length
    const type = request.headers['content-type']
    if (body.length === 0) return done(null, undefined)
    const encoding = request.headers['content-encoding']
    if (encoding !== undefined && encoding !== 'identity') {
      const reason = `content-encoding is ${JSON.stringify(encoding.slice(0, 60))}; a body must come uncompressed`
      return done(new ServerError('wrong_content_type', reason))
    }
    if (type !== undefined && !anyContentType && !JSON_TYPE.test(type)) {
      return done(wrongType(type))
    }
    let value: unknown
    try {
      value = parseJson(body)
    } catch (error) {
      return done(asServerError(error))
    }
    done(null, value)
  })
}

/** Throws `invalid_request`. */
export function parseJson(body: Buffer): unknown {
  expectModestJson(body)
  try {
    return JSON.parse(body.toString('utf8'))
  } catch (error) {
    throw new ServerError('invalid_request', `the body is not JSON: ${messageOf(error)}`, { cause: error })
  }
}

/** Bytes of a request's body: as it came, or before it is read as its headers tell; 0 where they don't. */
export function bodyBytes(request: FastifyRequest): number {
  return request.readBytes || Number(request.headers['content-length'] ?? 0) || 0
}

export function wrongType(type: string): ServerError {
  return new ServerError(
    'wrong_content_type',
    `content-type is ${JSON.stringify(type.slice(0, 60))}; it must be application/json`,
  )
}
