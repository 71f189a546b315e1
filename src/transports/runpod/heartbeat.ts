import { setImmediate } from 'node:timers/promises'
import { RevivingThread } from '../../base/reviving-thread.ts'
import type { Log } from '../../base/log.ts'
import type { HeartbeatCalls } from './heartbeat-protocol.ts'
import { addParams, pingUrl } from './platform-url.ts'

export interface PingOptions {
  /** Template: see `platform-url.ts`. */
  readonly pingUrl?: string | undefined
  /** Sent as it is, without `Bearer`. */
  readonly apiKey?: string | undefined
  readonly workerId?: string | undefined
  readonly endpointId?: string | undefined
  readonly gpuTypeId?: string | undefined
  /** Reported as `runpod_version`. */
  readonly version: string
}

export interface HeartbeatOptions extends PingOptions {
  readonly pingIntervalMs: number
  readonly log: Log
}

const LOG_INTERVAL_MS = 60_000
const REVIVE_MS = 1000
const UNHEALTHY_LIMIT_MS = 2000
const MAX_REASON_CHARACTERS = 256

/**
 * Starts pinging at once. Undefined where the platform asks for no heartbeat: address, key or worker id is missing. Throws
 * where the thread cannot be started.
 */
export async function openHeartbeat(options: HeartbeatOptions): Promise<Heartbeat | undefined> {
  const { apiKey, pingIntervalMs, version, log } = options
  const url = fillPingUrl(options)
  if (url === undefined || apiKey === undefined) return undefined
  const file = new URL('./heartbeat-thread.ts', import.meta.url)
  const heartbeat = new Heartbeat(new RevivingThread<HeartbeatCalls>(file, 'heartbeat'), log)
  await heartbeat.start({ url, apiKey, intervalMs: pingIntervalMs, version })
  return heartbeat
}

export class Heartbeat {
  readonly #thread: RevivingThread<HeartbeatCalls>
  readonly #log: Log
  #jobIds: readonly string[] = []
  /** Not read yet. */
  #newJobIds: Iterable<string> | undefined
  #isSending = false
  #logTimer: NodeJS.Timeout | undefined
  #closed = false

  constructor(thread: RevivingThread<HeartbeatCalls>, log: Log) {
    this.#thread = thread
    this.#log = log
  }

  async start(settings: HeartbeatCalls['start']['ask']['settings']): Promise<void> {
    this.#thread.watch({ onDeath: (error) => this.#onDeath(error) })
    await this.#thread.setUp((thread) => thread.call('start', { settings, jobIds: this.#readJobIds() }))
    this.#logTimer = setInterval(() => void this.#logFailures(), LOG_INTERVAL_MS)
    this.#logTimer.unref()
  }

  /** The jobs that every ping names from now on. May be called for each of thousands a second: it is read once a turn. */
  setJobs(jobIds: Iterable<string>): void {
    this.#newJobIds = jobIds
    if (!this.#isSending) void this.#send()
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#logTimer)
    await this.#thread.close()
  }

  async #send(): Promise<void> {
    this.#isSending = true
    await setImmediate()
    try {
      // What is set while a call is under way goes with the next one.
      while (this.#newJobIds !== undefined && !this.#closed) {
        await this.#thread.call('setJobs', { jobIds: this.#readJobIds() })
      }
    } catch {
      // The thread died: the one that replaces it is given the jobs when it starts.
    } finally {
      this.#isSending = false
    }
  }

  #readJobIds(): readonly string[] {
    if (this.#newJobIds !== undefined) this.#jobIds = [...this.#newJobIds]
    this.#newJobIds = undefined
    return this.#jobIds
  }

  #onDeath(error: Error): void {
    this.#log('error', { event: 'heartbeat_died', error: error.message })
    // Not at once: a thread that dies as it starts would be started without end.
    setTimeout(() => void this.#revive(), REVIVE_MS).unref()
  }

  /** Any call does; where it fails, that is one more death. */
  async #revive(): Promise<void> {
    if (!this.#closed) await this.#thread.call('setJobs', { jobIds: this.#readJobIds() }).catch(() => {})
  }

  async #logFailures(): Promise<void> {
    const failures = await this.#thread.call('failures', {}).catch(() => undefined)
    if (failures === undefined || failures.count === 0 || this.#closed) return
    this.#log('warn', { event: 'ping_failed', count: failures.count, error: failures.lastError })
  }
}

/** Tells the platform why this worker cannot start, as best it can: never rejects, two seconds at most. */
export async function sendUnhealthy(options: PingOptions, check: string, reason: string): Promise<void> {
  const url = fillPingUrl(options)
  if (url === undefined) return
  const params = new URLSearchParams({
    status: 'unhealthy',
    check,
    reason: reason.slice(0, MAX_REASON_CHARACTERS),
    runpod_version: options.version,
  })
  const headers = options.apiKey === undefined ? {} : { authorization: options.apiKey }
  const signal = AbortSignal.timeout(UNHEALTHY_LIMIT_MS)
  const ping = fetch(addParams(url, params.toString()), { headers, signal })
  await ping.then((reply) => reply.arrayBuffer()).catch(() => {})
}

function fillPingUrl({
  pingUrl: template,
  workerId,
  endpointId,
  gpuTypeId,
}: PingOptions): string | undefined {
  if (template === undefined || workerId === undefined) return undefined
  return pingUrl(template, { workerId, endpointId, gpuTypeId })
}
