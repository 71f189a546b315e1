/** The heartbeat has its own thread: a platform that misses it takes the worker's jobs away, however busy the others are. */
import { serveCalls } from '../../base/thread-server.ts'
import { messageOf } from '../../errors.ts'
import type { HeartbeatCalls, PingFailures, PingSettings } from './heartbeat-protocol.ts'
import { addParams } from './platform-url.ts'

/**
 * Jobs named in one ping. Their ids stand in its address, which servers take up to a length only: 8 kB, with many, and an id
 * of RunPod has some 45 characters. The ids of more jobs go with several pings of the same beat. What a ping that names a
 * part says of the others is not documented: every job is named at every beat, so a platform that looks at when each was
 * named last misses none. Up to this number, all stand in one ping, as RunPod's own worker sends it.
 */
const MAX_NAMED = 100
/** Pings of one beat, where there are many: each has a connection of its own. */
const MAX_AT_ONCE = 8

const RETRIED = [429, 500, 502, 503, 504]
const RETRY_MS = [0, 2000, 4000]

interface PingFailure {
  readonly error: string
  readonly retry: boolean
}

class Pinger {
  readonly #settings: PingSettings
  jobIds: readonly string[]
  #isPinging = false
  #retryTimer: NodeJS.Timeout | undefined
  #failureCount = 0
  #lastError = ''

  constructor(settings: PingSettings, jobIds: readonly string[]) {
    this.#settings = settings
    this.jobIds = jobIds
  }

  /** Beats are counted from the first, so that they do not drift. */
  run(): void {
    const { intervalMs } = this.#settings
    const startMs = performance.now()
    let beats = 0
    const beat = () => {
      void this.#beat()
      const passedMs = performance.now() - startMs
      beats = Math.max(beats, Math.floor(passedMs / intervalMs)) + 1
      setTimeout(beat, startMs + beats * intervalMs - performance.now())
    }
    beat()
  }

  takeFailures(): PingFailures {
    const count = this.#failureCount
    this.#failureCount = 0
    return { count, lastError: this.#lastError }
  }

  /** One beat at a time: a slow one stands for those that it outlasts, and a new one for a retry that still waits. */
  async #beat(retries = 0): Promise<void> {
    if (this.#isPinging) return
    clearTimeout(this.#retryTimer)
    this.#isPinging = true
    const failure = await this.#pingAll()
    this.#isPinging = false
    if (failure === undefined) return
    this.#failureCount++
    this.#lastError = failure.error
    const retryMs = failure.retry ? RETRY_MS[retries] : undefined
    if (retryMs !== undefined) this.#retryTimer = setTimeout(() => void this.#beat(retries + 1), retryMs)
  }

  /** One of the failures, if any. */
  async #pingAll(): Promise<PingFailure | undefined> {
    const parts = this.#parts()
    let failure: PingFailure | undefined
    for (let i = 0; i < parts.length; i += MAX_AT_ONCE) {
      const results = await Promise.all(parts.slice(i, i + MAX_AT_ONCE).map((jobIds) => this.#ping(jobIds)))
      failure = results.find((result) => result !== undefined) ?? failure
    }
    return failure
  }

  #parts(): (readonly string[])[] {
    const count = Math.max(1, Math.ceil(this.jobIds.length / MAX_NAMED))
    return Array.from({ length: count }, (_, i) => this.jobIds.slice(i * MAX_NAMED, (i + 1) * MAX_NAMED))
  }

  async #ping(jobIds: readonly string[]): Promise<PingFailure | undefined> {
    const { url, apiKey, intervalMs, version } = this.#settings
    const jobs = jobIds.length === 0 ? '' : `job_id=${encodeURIComponent(jobIds.join(','))}&`
    try {
      const response = await fetch(addParams(url, `${jobs}runpod_version=${encodeURIComponent(version)}`), {
        // A connection kept over a freeze of the process would swallow the next ping.
        headers: { authorization: apiKey, connection: 'close' },
        signal: AbortSignal.timeout(2 * intervalMs),
      })
      await response.arrayBuffer()
      if (response.ok) return undefined
      return { error: `HTTP ${response.status}`, retry: RETRIED.includes(response.status) }
    } catch (error) {
      return { error: describe(error), retry: true }
    }
  }
}

/** `fetch failed` alone would say nothing. */
function describe(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  return cause === undefined ? messageOf(error) : `${messageOf(error)}: ${messageOf(cause)}`
}

let pinger: Pinger | undefined

serveCalls<HeartbeatCalls>({
  start({ settings, jobIds }) {
    pinger = new Pinger(settings, jobIds)
    pinger.run()
    return { reply: {} }
  },

  setJobs({ jobIds }) {
    if (pinger !== undefined) pinger.jobIds = jobIds
    return { reply: {} }
  },

  failures: () => ({ reply: pinger?.takeFailures() ?? { count: 0, lastError: '' } }),
})
