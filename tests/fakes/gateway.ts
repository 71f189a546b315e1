/** A gateway without workers: the test takes the jobs. */
import { afterEach } from 'vitest'
import type { FastifyInstance } from 'fastify'
import type { GatewayRoutesOptions } from '../../src/transports/http/gateway-routes.ts'
import { gatewayRoutes } from '../../src/transports/http/gateway-routes.ts'
import type { JobStore, JobStoreOptions } from '../../src/transports/gateway/job-store.ts'
import { createServer, listen } from '../../src/transports/http/server.ts'
import { Webhooks } from '../../src/transports/gateway/webhook.ts'
import { WORKER, encoded, openStore, type FakeStore } from './job-store.ts'

export interface FakeGateway extends FakeStore {
  readonly app: FastifyInstance
}

export interface FakeGatewayOptions extends Partial<Omit<GatewayRoutesOptions, 'store'>> {
  readonly apiKey?: string
  readonly limits?: Partial<JobStoreOptions['limits']>
}

export const WORKER_COUNTS = { idle: 1, initializing: 0, ready: 1, running: 0, throttled: 0, unhealthy: 0 }

const open: FastifyInstance[] = []
afterEach(async () => {
  for (const app of open.splice(0)) await app.close()
})

/** Closed after the test. */
export function openGateway({ apiKey, limits = {}, ...options }: FakeGatewayOptions = {}): FakeGateway {
  const fake = openStore({ limits })
  const app = createServer({ apiKey })
  gatewayRoutes(app, {
    store: fake.store,
    workers: () => WORKER_COUNTS,
    webhooks: new Webhooks({ allow: ['hooks.example.com'], log: () => {} }),
    cancelOnDisconnect: true,
    ...options,
  })
  open.push(app)
  return { ...fake, app }
}

/** `http://127.0.0.1:<port>` */
export async function listenAnywhere({ app }: FakeGateway): Promise<string> {
  return listen(app, '127.0.0.1', 0)
}

/** Takes the next job, now or when it comes, and completes it with what `work` makes of its input. */
export async function workOnce(store: JobStore, work: (input: unknown) => unknown): Promise<string> {
  const [job] = await store.take(1, { workerId: WORKER, waitMs: 10_000 })
  if (job === undefined) throw new Error('no job came')
  store.finish(job.id, WORKER, { output: encoded(work(job.input)) })
  return job.id
}

/** Resolves once the store tells of what is asked, looking at every turn of the event loop. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}
