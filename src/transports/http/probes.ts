import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Metrics } from '../../base/metrics.ts'
import type { Lifecycle } from '../lifecycle.ts'
import { getRoute } from './get-route.ts'

/** What `/` says of the program besides how it is. */
export interface Program {
  readonly name: string
  readonly version: string
}

/** `/ping`, as RunPod's load balancer asks: 204 while loading, 200 when ready, else 503; `/health` and `/` for everybody else. */
export function probes(app: FastifyInstance, lifecycle: Lifecycle, program?: Program): void {
  const ping = (_request: FastifyRequest, reply: FastifyReply) => {
    if (lifecycle.state === 'starting') return reply.code(204).send()
    const healthy = lifecycle.healthy
    return reply.code(healthy ? 200 : 503).send({ status: healthy ? 'ok' : stateOf(lifecycle) })
  }
  // Alive as long as waiting may help: a server that loads or drains must not be killed for it.
  const alive = () =>
    lifecycle.state === 'failed' || (lifecycle.state === 'ready' && !lifecycle.healthy) ? 503 : 200
  const health = (_request: FastifyRequest, reply: FastifyReply) => {
    const models = lifecycle.service?.models() ?? []
    return reply.code(alive()).send({
      status: stateOf(lifecycle),
      // what Infinity's clients look for
      unix: Date.now() / 1000,
      models: models.map(({ id, healthy }) => ({ id, healthy })),
    })
  }
  getRoute(app, { url: '/ping', isOpen: true, handler: ping })
  getRoute(app, { url: '/health', isOpen: true, handler: health })
  // Other methods on it are a dialect's.
  app.get('/', { config: { isOpen: true } }, (_request, reply) =>
    reply
      .code(alive())
      .send({ ...program, status: stateOf(lifecycle), docs: '/docs', openapi: '/openapi.json' }),
  )
}

export function metricsRoute(app: FastifyInstance, metrics: Metrics): void {
  const handler = async (_request: FastifyRequest, reply: FastifyReply) =>
    reply.type(metrics.contentType).send(await metrics.text())
  getRoute(app, { url: '/metrics', handler })
}

function stateOf(lifecycle: Lifecycle): string {
  return lifecycle.state === 'ready' && !lifecycle.healthy ? 'unhealthy' : lifecycle.state
}
