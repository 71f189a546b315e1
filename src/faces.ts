/** The HTTP faces of a mode: which routes, on which address. */
import type { FastifyInstance } from 'fastify'
import type { Log } from './base/log.ts'
import type { Metrics } from './base/metrics.ts'
import type { Config } from './config.ts'
import { ServerError, messageOf } from './errors.ts'
import type { Gate } from './transports/gate.ts'
import { JobStore } from './transports/gateway/job-store.ts'
import { localSource } from './transports/gateway/local-source.ts'
import { Webhooks } from './transports/gateway/webhook.ts'
import { directRoutes } from './transports/http/direct-routes.ts'
import { docsRoutes } from './transports/http/docs-routes.ts'
import type { Gateway } from './transports/http/gateway-operations.ts'
import { gatewayRoutes } from './transports/http/gateway-routes.ts'
import { metricsRoute, probes } from './transports/http/probes.ts'
import { createServer, listen } from './transports/http/server.ts'
import type { Lifecycle } from './transports/lifecycle.ts'
import type { JobSource } from './transports/runpod/job-source.ts'

export interface FacesOptions {
  readonly config: Config
  readonly log: Log
  readonly lifecycle: Lifecycle
  readonly gate: Gate
  readonly metrics: Metrics
  readonly version: string
}

export interface Faces {
  /** Jobs that came over HTTP; undefined where they come from the platform. */
  readonly source: JobSource | undefined
  readonly close: () => Promise<void>
}

const NAME = 'runpod-worker-embeddings'

/** Listens at once: probes tell of the loading, and jobs wait for its end. Throws `port_unavailable`. */
export async function openFaces(options: FacesOptions): Promise<Faces> {
  const { config, lifecycle, metrics, version } = options
  const program = { name: NAME, version }
  const gateway = config.mode === 'queue-worker' ? undefined : openGateway(options)
  // Where one address cannot be had, the others are given back.
  await using opened = new AsyncDisposableStack()
  for (const address of addresses(config)) {
    const app = createServer({ apiKey: config.apiKey, onAnswer: metrics.answered })
    opened.defer(() => app.close())
    probes(app, lifecycle, program)
    if (!address.onlyProbes) {
      metricsRoute(app, metrics)
      if (gateway !== undefined) gatewayRoutes(app, gateway)
      docsRoutes(app, { program, needsKey: config.apiKey !== undefined, hasJobs: gateway !== undefined })
      directRoutes(app, { ...options, onAnswer: metrics.answered })
    }
    await tryListen(app, address, options)
  }
  // First of all: whoever waits for a job must have an answer before the servers close.
  opened.defer(async () => {
    gateway?.store.close()
    await gateway?.webhooks.close()
  })
  const ends = opened.move()
  return {
    source: gateway && localSource(gateway.store, config.platform.workerId ?? 'local'),
    close: () => ends.disposeAsync(),
  }
}

/** Of bodies as they came; parsed, they may take several times as much. */
const MAX_QUEUED_BYTES = 128_000_000
const MAX_KEPT_JOBS = 10_000
const MAX_KEPT_BYTES = 512_000_000

/** RunPod's gateway, with this process as its one worker. */
function openGateway({ config, log, lifecycle }: FacesOptions): Gateway & { webhooks: Webhooks } {
  const webhooks = new Webhooks({ allow: config.webhookHosts, log })
  // While models are loaded, jobs wait for them.
  const admit = () => {
    const { refusal, state } = lifecycle
    if (refusal !== undefined && state !== 'starting') throw refusal
  }
  const store = new JobStore({
    admit,
    now: () => performance.now(),
    limits: {
      maxQueuedJobs: config.queueSize,
      maxQueuedBytes: MAX_QUEUED_BYTES,
      maxKeptJobs: MAX_KEPT_JOBS,
      maxKeptBytes: MAX_KEPT_BYTES,
    },
    onEnd: (job) => void webhooks.send(job),
  })
  const workers = () => {
    const isReady = lifecycle.healthy
    const isRunning = store.counts().inProgress > 0
    return {
      idle: isReady && !isRunning ? 1 : 0,
      initializing: lifecycle.state === 'starting' ? 1 : 0,
      ready: isReady ? 1 : 0,
      running: isReady && isRunning ? 1 : 0,
      throttled: 0,
      unhealthy: isReady || lifecycle.state === 'starting' ? 0 : 1,
    }
  }
  // Nobody else could ever ask for a job whose id was not told.
  return { store, webhooks, workers, cancelOnDisconnect: true }
}

interface Address {
  readonly host: string
  readonly port: number
  readonly onlyProbes: boolean
}

const ANY_HOST = '0.0.0.0'
/** Where RunPod's load balancer looks when nobody told it otherwise. */
const PLATFORM_PORT = 80

function addresses({ mode, apiHost, apiPort, port, portHealth, platform }: Config): Address[] {
  if (mode === 'serve-api') return [{ host: apiHost, port: apiPort, onlyProbes: false }]
  // A queue worker needs no server; the platform that wants one names its port.
  const fallback = platform.endpointId === undefined ? apiPort : PLATFORM_PORT
  const main = port ?? (mode === 'http-server' ? fallback : undefined)
  return [
    ...(main === undefined ? [] : [{ host: ANY_HOST, port: main, onlyProbes: false }]),
    ...(portHealth === undefined || portHealth === main
      ? []
      : [{ host: ANY_HOST, port: portHealth, onlyProbes: true }]),
  ]
}

/** A queue worker does without: the platform's own harness may sit on the port. */
async function tryListen(
  app: FastifyInstance,
  { host, port }: Address,
  { config, log }: FacesOptions,
): Promise<void> {
  const address = `${host}:${port}`
  try {
    log('info', { event: 'listening', address: await listen(app, host, port) })
  } catch (error) {
    const reason = messageOf(error)
    if (config.mode !== 'queue-worker') {
      throw new ServerError('port_unavailable', `cannot listen on ${address}: ${reason}`, { cause: error })
    }
    log('warn', { event: 'port_taken', address, reason })
  }
}
