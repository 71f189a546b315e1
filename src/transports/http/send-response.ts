import type { FastifyReply } from 'fastify'
import { encodeJson } from '../../base/encode-json.ts'
import type { WireResponse } from '../../dialects/dispatch.ts'

export async function sendResponse(reply: FastifyReply, response: WireResponse): Promise<FastifyReply> {
  const { status, headers, body = {} } = response
  return reply
    .code(status)
    .headers(headers)
    .type('application/json')
    .send(await encodeJson(body))
}
