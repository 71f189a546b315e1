import { sendRefusal } from './gateway-error.ts'
import type { Operation } from './gateway-operations.ts'
import { hold } from './gateway-operations.ts'
import { pathPart } from './gateway-request.ts'
import { isEnded } from '../gateway/job.ts'
import { DEFAULT_POLICY } from '../gateway/job-request.ts'
import { openaiBody } from '../gateway/openai-body.ts'
import { bodyBytes } from './body.ts'

/** As long as `/runsync` can be held. */
const CEILING_MS = 300_000

/**
 * Makes a job of any request below `/openai`: its path is the route, its body the input; method, query and headers are
 * not passed on, as on the platform. Held until the job has ended, and answered with what the worker wrote.
 */
export const openai: Operation = async (gateway, request, reply) => {
  const { body } = request
  const route = { openai_route: `/${pathPart(request, '*')}` }
  const { id } = gateway.store.submit({
    input: body === undefined ? route : { ...route, openai_input: body },
    policy: DEFAULT_POLICY,
    sync: true,
    bytes: bodyBytes(request),
  })
  const job = await hold(gateway, { id, waitMs: CEILING_MS, reply })
  if (job !== undefined && isEnded(job)) {
    const { status, contentType, body } = openaiBody(job)
    return reply.code(status).type(contentType).send(body)
  }
  if (gateway.cancelOnDisconnect) gateway.store.cancel(id)
  // 504: nothing was wrong with the request. OpenAI's libraries would send it anew, and wait as long again for as
  // little: this header keeps them from it.
  reply.header('x-should-retry', 'false')
  return sendRefusal(reply, 504, `the job did not end within ${CEILING_MS / 1000} seconds`)
}
