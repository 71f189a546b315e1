import type { FastifyReply } from 'fastify'
import { encodeJson } from '../../base/encode-json.ts'
import type { WireResponse } from '../../dialects/dispatch.ts'

/** A client that takes nothing for so long is not reading: its answer, which may be large, is given up. */
const STALL_MS = 60_000

export async function sendResponse(
  reply: FastifyReply,
  response: WireResponse,
  stallMs = STALL_MS,
): Promise<FastifyReply> {
  const { status, headers, body = {} } = response
  const json = await encodeJson(body)
  // Until the answer is out: what comes after is under the server's own limits again.
  reply.raw.setTimeout(stallMs, () => reply.raw.destroy())
  return reply.code(status).headers(headers).type('application/json').send(json)
}
