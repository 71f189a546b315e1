export interface PingSettings {
  /** Filled, without the parameters that each ping adds. */
  readonly url: string
  readonly apiKey: string
  readonly intervalMs: number
  readonly version: string
}

export interface PingFailures {
  /** Since they were asked for last. */
  readonly count: number
  readonly lastError: string
}

export interface HeartbeatCalls {
  /** Pings at once, then at every interval. */
  start: { ask: { settings: PingSettings; jobIds: readonly string[] }; reply: object }
  setJobs: { ask: { jobIds: readonly string[] }; reply: object }
  failures: { ask: object; reply: PingFailures }
}
