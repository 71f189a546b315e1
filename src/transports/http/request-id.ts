import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** The header in which a client names its request, and finds the name again. */
export const REQUEST_ID = 'x-request-id'

/** As the client named it, where that can stand in a header and a log; else a name of our own. */
export function requestIdOf({ headers }: IncomingMessage): string {
  const given = headers[REQUEST_ID]
  return typeof given === 'string' && /^[\x20-\x7e]{1,128}$/.test(given) ? given : randomUUID()
}
