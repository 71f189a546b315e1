/** The serving modes, from a configuration to an exit code: queue worker, HTTP server, local API. */
import { untilAborted } from './base/abort.ts'
import { killProcess } from './base/kill-process.ts'
import { Metrics } from './base/metrics.ts'
import type { Engine } from './engine/engine.ts'
import { asServerError } from './errors.ts'
import { openFaces } from './faces.ts'
import type { StartOptions } from './start.ts'
import { startService } from './start.ts'
import { Gate } from './transports/gate.ts'
import { Lifecycle } from './transports/lifecycle.ts'
import { openDeliver } from './transports/runpod/deliver.ts'
import type { Heartbeat } from './transports/runpod/heartbeat.ts'
import { openHeartbeat, sendUnhealthy } from './transports/runpod/heartbeat.ts'
import { runJob } from './transports/runpod/job.ts'
import type { JobSource } from './transports/runpod/job-source.ts'
import { QueueWorker } from './transports/runpod/worker.ts'

export interface ServeOptions extends Pick<StartOptions, 'config' | 'log' | 'threads' | 'loading'> {
  readonly version: string
  /** Aborted when the process shall end: what is under way is finished, within the grace period. */
  readonly stop: AbortSignal
  /** Ends a process that cannot end itself; another one for tests. */
  readonly kill?: (() => void) | undefined
}

/** Of bodies, as they came, of requests in line; parsed, they may take several times as much. */
const MAX_WAITING_BYTES = 128_000_000

/** Serves until told to stop; resolves with the exit code. Throws where it cannot even start. */
export async function serve(options: ServeOptions): Promise<number> {
  const { config, log, version, stop } = options
  log('info', { event: 'starting', mode: config.mode, version })
  const lifecycle = new Lifecycle<Engine>()
  const gate = new Gate({
    concurrency: config.maxConcurrency,
    maxWaiting: config.queueSize,
    maxWaitingBytes: MAX_WAITING_BYTES,
  })
  const metrics = new Metrics({
    models: () => lifecycle.service?.models() ?? [],
    gate: () => gate,
    cache: () => lifecycle.service?.cacheStats(),
  })
  const isQueue = config.mode === 'queue-worker'
  const pings = { ...config.platform, version, log }
  // Closed in the reverse order: the platform must not take this worker for dead while a result is under way.
  await using ends = new AsyncDisposableStack()
  const heartbeat = isQueue ? await openHeartbeat(pings) : undefined
  ends.defer(async () => heartbeat?.close())
  const faces = await openFaces({ config, log, lifecycle, gate, metrics, version })
  ends.defer(() => faces.close())
  const source = faces.source ?? (await import('./transports/runpod/platform.ts')).openPlatform(pings)
  ends.defer(() => source.close())
  try {
    const { batchRan: onBatch, itemsReused: onReuse } = metrics
    const watching = killStuckStart(options)
    const service = await startService({ ...options, onBatch, onReuse })
    watching.abort()
    ends.defer(() => service.close())
    // Told to stop while it loaded: a job taken now would only be given back.
    if (stop.aborted) return 0
    const working = work({ ...options, lifecycle, gate, metrics, heartbeat, source }, service.engine)
    // Only now: what is for the next start must not delay this one.
    void service.keepModels()
    return await working
  } catch (error) {
    if (stop.aborted) return 0
    const failure = asServerError(error)
    lifecycle.fail(failure)
    if (isQueue) await sendUnhealthy(pings, 'model', failure.message)
    if (config.mode !== 'http-server') throw failure
    // A platform that sees its container end starts it again, and again; one that answers 503 is replaced and looked at.
    log('error', { event: 'start_failed', error: failure.message })
    await untilAborted(stop)
    return 1
  }
}

/**
 * A start that is told to stop may be inside ONNX Runtime or a call of the system, which nothing breaks off, and which an exit
 * would wait for: it is killed when the grace period is over. Aborting what is returned says that the start is over.
 */
function killStuckStart({ config, log, stop, kill = killProcess }: ServeOptions): AbortController {
  const started = new AbortController()
  const limit = () => {
    const end = () => {
      const error = `told to stop, the start did not end in ${config.shutdownGraceMs / 1000} seconds: the process is killed`
      log('error', { event: 'start_failed', error })
      kill()
    }
    // Whatever is stuck keeps the process; what is not is not kept by this.
    setTimeout(end, config.shutdownGraceMs).unref()
  }
  stop.addEventListener('abort', limit, { signal: started.signal })
  if (stop.aborted) limit()
  return started
}

interface Running extends ServeOptions {
  readonly lifecycle: Lifecycle<Engine>
  readonly gate: Gate
  readonly metrics: Metrics
  readonly heartbeat: Heartbeat | undefined
  readonly source: JobSource
}

/**
 * Takes jobs and requests until told to stop, then finishes what is under way. The exit code: 1 where the worker ended by
 * itself because its models cannot be revived.
 */
async function work(running: Running, engine: Engine): Promise<number> {
  const { config, log, lifecycle, gate, stop } = running
  const worker = openWorker(running, engine)
  lifecycle.ready(engine)
  log('info', { event: 'ready', models: engine.models().map(({ id }) => id) })
  await Promise.race([worker.run(), untilAborted(stop)])
  lifecycle.drain()
  engine.drain()
  await Promise.all([worker.drain(config.shutdownGraceMs), gate.idle(config.shutdownGraceMs)])
  return isBroken(engine) && !stop.aborted ? 1 : 0
}

function openWorker(running: Running, engine: Engine): QueueWorker {
  const { config, log, metrics, heartbeat, source } = running
  const isQueue = config.mode === 'queue-worker'
  const concurrency = isQueue ? config.maxConcurrency : config.apiConcurrency
  const { errorStyle } = config
  const onAnswer = metrics.answered
  return new QueueWorker({
    source,
    heartbeat,
    log,
    deliver: openDeliver({ bucket: config.bucket }),
    // The platform may end a worker that asks for it as soon as its first result is in.
    maxConcurrency: config.refreshWorker ? 1 : concurrency,
    refreshWorker: config.refreshWorker,
    // A job that no queue has room for is held, and nobody needs more of them.
    isFull: () => engine.models().some(({ stats }) => stats.heldRequests > 0),
    // The platform replaces a worker; a server has other models to serve, and says what is wrong with this one.
    isBroken: () => isQueue && isBroken(engine),
    onJobEnd: metrics.jobEnded,
    run: (job, { signal, onProgress }) => {
      metrics.jobStarted()
      return runJob(job, engine, { signal, onProgress, whenFull: 'wait', errorStyle, onAnswer })
    },
  })
}

function isBroken(engine: Engine): boolean {
  return !engine.models().every(({ healthy }) => healthy)
}
