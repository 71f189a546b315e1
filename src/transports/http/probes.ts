import type { FastifyInstance } from 'fastify'
import type { Metrics } from '../../base/metrics.ts'
import type { Lifecycle } from '../lifecycle.ts'

/** `/ping`, as RunPod's load balancer asks: 204 while loading, 200 when ready, else 503; and `/health` for everybody else. */
export function probes(app: FastifyInstance, lifecycle: Lifecycle): void {
  app.get('/ping', (_request, reply) => {
    if (lifecycle.state === 'starting') return reply.code(204).send()
    const healthy = lifecycle.healthy
    return reply.code(healthy ? 200 : 503).send({ status: healthy ? 'ok' : stateOf(lifecycle) })
  })
  // Alive as long as waiting may help: a server that loads or drains must not be killed for it.
  app.get('/health', (_request, reply) => {
    const dead = lifecycle.state === 'failed' || (lifecycle.state === 'ready' && !lifecycle.healthy)
    const models = lifecycle.service?.models() ?? []
    return reply.code(dead ? 503 : 200).send({
      status: stateOf(lifecycle),
      // what Infinity's clients look for
      unix: Date.now() / 1000,
      models: models.map(({ id, healthy }) => ({ id, healthy })),
    })
  })
}

export function metricsRoute(app: FastifyInstance, metrics: Metrics): void {
  app.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()))
}

function stateOf(lifecycle: Lifecycle): string {
  return lifecycle.state === 'ready' && !lifecycle.healthy ? 'unhealthy' : lifecycle.state
}
