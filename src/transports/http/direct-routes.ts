/** The dialects' routes, answered at once and with true HTTP statuses. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { WireResponse } from '../../dialects/dispatch.ts'
import { dispatch, refuse } from '../../dialects/dispatch.ts'
import { ServerError, asServerError } from '../../errors.ts'
import type { Gate } from '../gate.ts'
import type { Lifecycle } from '../lifecycle.ts'
import { sendResponse } from './send-response.ts'
import { bodyBytes, clientGone } from './server.ts'

export interface DirectRoutesOptions {
  readonly lifecycle: Lifecycle
  readonly gate: Gate
  readonly onAnswer?: ((answer: WireResponse, ms: number) => void) | undefined
}

const RETRY_WHILE_LOADING_MS = 1000

/** Takes every path that no other route does: dialects know their spellings. */
export function directRoutes(app: FastifyInstance, options: DirectRoutesOptions): void {
  const answer = async (request: FastifyRequest, reply: FastifyReply) => {
    const start = performance.now()
    const response = await answerTo(request, clientGone(reply), options)
    options.onAnswer?.(response, performance.now() - start)
    return sendResponse(reply, response)
  }
  app.all('/*', answer)
  // methods that fastify has no routes for
  app.setNotFoundHandler(answer)
}

async function answerTo(
  request: FastifyRequest,
  signal: AbortSignal,
  { lifecycle, gate }: DirectRoutesOptions,
): Promise<WireResponse> {
  const { method, url: route, body } = request
  const { service } = lifecycle
  if (service === undefined || lifecycle.state !== 'ready') return refuse(route, notServing(lifecycle))
  try {
    return await gate.run(() => dispatch({ method, route, body }, service, { signal }), {
      bytes: bodyBytes(request),
      signal,
    })
  } catch (error) {
    return refuse(route, asServerError(error))
  }
}

function notServing({ state, failure }: Lifecycle): ServerError {
  if (failure !== undefined) return failure
  if (state === 'starting') {
    return new ServerError('starting', 'the models are being loaded', {
      retryAfterMs: RETRY_WHILE_LOADING_MS,
    })
  }
  return new ServerError('stopping', 'the worker is stopping and takes no more work')
}
