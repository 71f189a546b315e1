/** The heartbeat has its own thread: a platform that misses it takes the worker's jobs away, however busy the others are. */
import { serveCalls } from '../../base/thread-server.ts'
import { messageOf } from '../../errors.ts'
import type { HeartbeatCalls, PingFailures, PingSettings } from './heartbeat-protocol.ts'
import { addParams } from './platform-url.ts'

const RETRIED = [429, 500, 502, 503, 504]
const RETRY_MS = [0, 2000, 4000]

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

  /** One ping at a time: a slow one stands for the beats that it outlasts, and a new beat for a retry that still waits. */
  async #beat(retries = 0): Promise<void> {
    if (this.#isPinging) return
    clearTimeout(this.#retryTimer)
    this.#isPinging = true
    const failure = await this.#ping()
    this.#isPinging = false
    if (failure === undefined) return
    this.#failureCount++
    this.#lastError = failure.error
    const retryMs = failure.retry ? RETRY_MS[retries] : undefined
    if (retryMs !== undefined) this.#retryTimer = setTimeout(() => void this.#beat(retries + 1), retryMs)
  }

  async #ping(): Promise<{ error: string; retry: boolean } | undefined> {
    const { url, apiKey, intervalMs, version } = this.#settings
    const jobs = this.jobIds.length === 0 ? '' : `job_id=${encodeURIComponent(this.jobIds.join(','))}&`
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
