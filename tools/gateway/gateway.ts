/** RunPod's gateway on this machine: both sides of its protocol, with faults where they are wanted, and a ledger. */
import type { FastifyInstance } from 'fastify'
import { keyCheck } from '../../src/transports/http/authorize.ts'
import { gatewayRoutes } from '../../src/transports/http/gateway-routes.ts'
import { JobStore } from '../../src/transports/gateway/job-store.ts'
import { createServer, listen } from '../../src/transports/http/server.ts'
import { Webhooks } from '../../src/transports/gateway/webhook.ts'
import { watchAnswers } from './client-answers.ts'
import { Duplicates } from './duplicates.ts'
import type { FaultRates } from './faults.ts'
import { FaultPlan } from './faults.ts'
import { Fleet } from './fleet.ts'
import { Ledger } from './ledger.ts'
import { workerEnv } from './worker-env.ts'
import { WorkerProcesses } from './worker-process.ts'
import { workerRoutes } from './worker-routes.ts'

export interface GatewayOptions {
  readonly host?: string
  /** 0: any that is free. */
  readonly port?: number
  readonly endpointId?: string
  /** Of clients; undefined: none is asked for. */
  readonly apiKey?: string | undefined
  /** Of workers; undefined: none is asked for. */
  readonly workerKey?: string | undefined
  /** See `JobDoneOptions`. */
  readonly strict?: boolean
  /** How long job-take and job-stop are held. */
  readonly holdMs?: number
  readonly pingIntervalMs?: number
  /** Of silence, after which a worker's jobs go to another; three ping intervals unless told. */
  readonly pingTimeoutMs?: number | undefined
  readonly faults?: FaultRates
  readonly seed?: number
  /** How long an answer hangs that is to hang. */
  readonly hangMs?: number
  readonly workers?: WorkersOptions | undefined
  /** Told what happens to workers, a line each. */
  readonly print?: (line: string) => void
}

export interface WorkersOptions {
  /** For `sh`. */
  readonly command: string
  readonly count: number
  /** What they inherit; what the platform sets comes on top. */
  readonly env: NodeJS.ProcessEnv
  readonly onLine?: ((workerId: string, line: string) => void) | undefined
}

export interface Gateway {
  readonly url: string
  readonly store: JobStore
  readonly ledger: Ledger
  /** None without `options.workers`. */
  readonly workers: WorkerProcesses | undefined
  /** What a worker of that id needs to know; an emulated platform's environment. */
  readonly workerEnv: (workerId: string) => Record<string, string>
  /** Ends the workers first, so that what they still have to say is heard. */
  readonly close: () => Promise<void>
}

const DEFAULTS = {
  host: '127.0.0.1',
  port: 0,
  endpointId: 'local',
  apiKey: undefined,
  workerKey: undefined,
  strict: true,
  holdMs: 20_000,
  pingIntervalMs: 10_000,
  pingTimeoutMs: undefined,
  faults: {},
  seed: 1,
  hangMs: 3000,
  workers: undefined,
  print: () => {},
} satisfies GatewayOptions

type Settings = Required<GatewayOptions>

/** Roomy: this machine's memory is the developer's own. */
const LIMITS = {
  maxQueuedJobs: 100_000,
  maxQueuedBytes: 1_000_000_000,
  maxKeptJobs: 100_000,
  maxKeptBytes: 1_000_000_000,
}

const CLOCK_TICK_MS = 1000
const MAX_JUMP_MS = 3000
const SWEEP_MS = 200

/** Throws `invalid_request` where faults are no probabilities, and what `listen` throws. */
export async function startGateway(options: GatewayOptions = {}): Promise<Gateway> {
  const settings: Settings = { ...DEFAULTS, ...options }
  const core = openCore(settings)
  const app = createServer({ anyContentType: true })
  let workers: WorkerProcesses | undefined
  await app.register(async (scope) => clientSide(scope, settings, core))
  const recycle = (workerId: string) => workers?.recycle(workerId)
  await app.register(async (scope) => workerSide(scope, settings, { ...core, recycle }))
  const address = await listen(app, settings.host, settings.port).catch((error: unknown) => {
    core.close()
    throw error
  })
  const envOf = (workerId: string) => workerEnv({ ...settings, url: address, workerId })
  workers = openWorkers(settings, core, envOf)
  workers?.start()
  const close = async () => {
    await workers?.close()
    core.close()
    await app.close()
  }
  return { url: address, store: core.store, ledger: core.ledger, workers, workerEnv: envOf, close }
}

interface Core {
  readonly store: JobStore
  readonly ledger: Ledger
  readonly fleet: Fleet
  readonly plan: FaultPlan
  readonly duplicates: Duplicates
  readonly webhooks: Webhooks
  readonly close: () => void
}

/** What both sides share. */
function openCore({ faults, seed, pingIntervalMs, pingTimeoutMs, print }: Settings): Core {
  const now = () => performance.now()
  const plan = new FaultPlan(faults, seed)
  const ledger = new Ledger(now)
  const webhooks = new Webhooks({
    allow: 'all',
    log: (_level, event) => print(`webhook: ${JSON.stringify(event)}`),
  })
  const clock = startClock(now, plan, ledger)
  const store = new JobStore({
    now: clock.now,
    limits: LIMITS,
    onQueue: ({ id }) => ledger.queued(id),
    onEnd: (job) => {
      ledger.ended(job.id, job.status)
      fleet.released(job.id)
      void webhooks.send(job)
    },
  })
  const requeue = (workerId: string, jobIds?: readonly string[]) => {
    for (const id of store.requeue(workerId, jobIds)) ledger.requeued(id)
  }
  const fleet = new Fleet({
    now,
    requeue,
    pingTimeoutMs: pingTimeoutMs ?? 3 * pingIntervalMs,
    onUnlisted: (workerId, jobId) => ledger.unlisted(jobId, workerId),
  })
  const sweep = setInterval(() => fleet.sweep(), SWEEP_MS)
  const close = () => {
    clearInterval(sweep)
    clock.stop()
    store.close()
    void webhooks.close()
  }
  return { store, ledger, fleet, plan, webhooks, duplicates: new Duplicates(store, clock.now), close }
}

/** The clock that jobs are timed by: it jumps where the plan says so. */
function startClock(now: () => number, plan: FaultPlan, ledger: Ledger) {
  let jumpedMs = 0
  const timer = setInterval(() => {
    const fault = plan.next('clock')
    if (fault === undefined) return
    ledger.faultInjected(fault.kind)
    jumpedMs += Math.ceil(fault.choice * MAX_JUMP_MS)
  }, CLOCK_TICK_MS)
  return { now: () => now() + jumpedMs, stop: () => clearInterval(timer) }
}

function clientSide(
  app: FastifyInstance,
  { apiKey, endpointId }: Settings,
  { store, ledger, fleet, webhooks }: Core,
): void {
  const checkKey = keyCheck(apiKey)
  app.addHook('onRequest', async (request) => checkKey(request.headers))
  watchAnswers(app, ledger)
  gatewayRoutes(app, {
    store,
    webhooks,
    endpointId,
    prefixes: ['/v2/:endpointId'],
    cancelOnDisconnect: false,
    workers: () => {
      const { idle, running, unhealthy } = fleet.counts()
      return { idle, initializing: 0, ready: idle + running, running, throttled: 0, unhealthy }
    },
  })
}

function workerSide(
  app: FastifyInstance,
  settings: Settings,
  core: Core & { readonly recycle: (workerId: string) => void },
): void {
  const { hangMs, print } = settings
  const { plan, ledger, recycle } = core
  workerRoutes(app, {
    ...settings,
    ...core,
    faults: { plan, ledger, hangMs },
    onStopPod: (workerId) => {
      print(`${workerId} asks to be replaced`)
      recycle(workerId)
    },
    onUnhealthy: (workerId, reason) => print(`${workerId} cannot start: ${reason}`),
  })
}

function openWorkers(
  { workers, print }: Settings,
  { fleet, ledger }: Core,
  envOf: (workerId: string) => Record<string, string>,
): WorkerProcesses | undefined {
  if (workers === undefined) return undefined
  return new WorkerProcesses({
    ...workers,
    env: (workerId) => ({ ...workers.env, ...envOf(workerId) }),
    onDeath: (workerId, exitCode) => {
      print(`${workerId} has ended, ${exitCode === null ? 'killed' : `with exit code ${exitCode}`}`)
      fleet.died(workerId)
      if (exitCode !== 0) ledger.killed(workerId)
    },
    onFreeze: (workerId) => {
      print(`${workerId} is frozen`)
      ledger.frozen(workerId)
    },
    onThaw: (workerId) => {
      print(`${workerId} is thawed`)
      ledger.thawed(workerId)
    },
  })
}
