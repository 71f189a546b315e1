/** The dialects' routes, answered at once and with true HTTP statuses. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { WireResponse } from '../../dialects/dispatch.ts'
import { dispatch, refuse } from '../../dialects/dispatch.ts'
import { whyEnded } from '../../errors.ts'
import type { Gate } from '../gate.ts'
import type { Lifecycle } from '../lifecycle.ts'
import { sendResponse } from './send-response.ts'
import { bodyBytes } from './body.ts'
import { timeIsUp, timeoutMsOf } from './request-timeout.ts'
import { clientGone } from './server.ts'

export interface DirectRoutesOptions {
  readonly lifecycle: Lifecycle
  readonly gate: Gate
  readonly onAnswer?: ((answer: WireResponse, ms: number) => void) | undefined
}

/** Takes every path that no other route does: dialects know their spellings. */
export function directRoutes(app: FastifyInstance, options: DirectRoutesOptions): void {
  const answer = async (request: FastifyRequest, reply: FastifyReply) => {
    const start = performance.now()
    const response = await answerTo(request, reply, options)
    options.onAnswer?.(response, performance.now() - start)
    return sendResponse(reply, response)
  }
  app.all('/*', answer)
  // Azure's, though what else is below `/openai` is RunPod's
  app.all('/openai/deployments/*', answer)
  // methods that fastify has no routes for
  app.setNotFoundHandler(answer)
}

/** The header that says who comes first. */
const PRIORITY = 'x-priority'

async function answerTo(
  request: FastifyRequest,
  reply: FastifyReply,
  { lifecycle, gate }: DirectRoutesOptions,
): Promise<WireResponse> {
  const { method, url: route, body, headers } = request
  const asked = { method, route, body, priority: headers[PRIORITY]?.toString() }
  const { service, refusal } = lifecycle
  const end = new AbortController()
  const signal = clientGone(reply, end)
  let timer: NodeJS.Timeout | undefined
  try {
    if (service === undefined || refusal !== undefined) throw refusal
    const timeoutMs = timeoutMsOf(request)
    const endMs = timeoutMs && performance.now() + timeoutMs
    if (timeoutMs !== undefined) timer = setTimeout(() => end.abort(timeIsUp(timeoutMs)), timeoutMs)
    const answer = () => {
      // What waiting in line has left of it.
      const withinMs = endMs && Math.max(0, endMs - performance.now())
      return dispatch(asked, service, { signal, withinMs })
    }
    // What nothing is computed for must not be hidden by a full line.
    return method === 'POST' ? await gate.run(answer, { bytes: bodyBytes(request), signal }) : await answer()
  } catch (error) {
    return refuse(asked, whyEnded(error, signal))
  } finally {
    clearTimeout(timer)
  }
}
