import { createHash, timingSafeEqual } from 'node:crypto'
import { ServerError } from '../../errors.ts'

/** Checks an `Authorization` header, `Bearer <key>` or the bare key; throws `unauthorized`. */
export function keyCheck(apiKey: string | undefined): (authorization: string | undefined) => void {
  if (apiKey === undefined) return () => {}
  // Digests have one length, so the comparison takes as long for any key.
  const expected = digest(apiKey)
  return (authorization) => {
    if (authorization === undefined) {
      throw new ServerError(
        'unauthorized',
        'the Authorization header is missing; it must be "Bearer <API_KEY>"',
      )
    }
    const key = authorization.replace(/^Bearer +/i, '')
    if (!timingSafeEqual(digest(key), expected)) {
      throw new ServerError(
        'unauthorized',
        'the key in the Authorization header is not the API_KEY of this server',
      )
    }
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
