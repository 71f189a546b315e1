import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { ServerError } from '../../errors.ts'

/** Checks `Authorization`, as `Bearer <key>` or the bare key, and Azure's `api-key`: one of them must be right. Throws `unauthorized`. */
export function keyCheck(apiKey: string | undefined): (headers: IncomingHttpHeaders) => void {
  if (apiKey === undefined) return () => {}
  // Digests have one length, so the comparison takes as long for any key.
  const expected = digest(apiKey)
  const isRight = (key: string) => timingSafeEqual(digest(key), expected)
  return (headers) => {
    const { authorization } = headers
    const ownKey = headers['api-key']
    if (typeof ownKey === 'string' && isRight(ownKey)) return
    if (authorization !== undefined && isRight(authorization.replace(/^Bearer +/i, ''))) return
    // Some clients that were given no key send the header without one.
    const wrong = authorization ? 'Authorization' : ownKey ? 'api-key' : undefined
    const reason =
      wrong === undefined
        ? 'the Authorization header is missing; it must be "Bearer <API_KEY>"'
        : `the key in the ${wrong} header is not the API_KEY of this server`
    throw new ServerError('unauthorized', reason)
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
