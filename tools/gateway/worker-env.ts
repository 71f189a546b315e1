export interface WorkerEnvOptions {
  readonly url: string
  readonly endpointId: string
  /** Any will do where none is asked for, but without one workers send no pings. */
  readonly workerKey?: string | undefined
  readonly workerId: string
  readonly pingIntervalMs: number
}

/** What RunPod sets for a queue worker: addresses are templates, as there, and it is the worker that fills them. */
export function workerEnv(options: WorkerEnvOptions): Record<string, string> {
  const { url, endpointId, workerKey = 'any-key', workerId, pingIntervalMs } = options
  const base = `${url}/v2/${endpointId}`
  return {
    RUNPOD_WEBHOOK_GET_JOB: `${base}/job-take/$ID?gpu=none`,
    RUNPOD_WEBHOOK_POST_OUTPUT: `${base}/job-done/$RUNPOD_POD_ID/$ID?gpu=none`,
    RUNPOD_WEBHOOK_POST_STREAM: `${base}/job-stream/$RUNPOD_POD_ID/$ID?gpu=none`,
    RUNPOD_WEBHOOK_PING: `${base}/ping/$RUNPOD_POD_ID`,
    RUNPOD_PING_INTERVAL: String(pingIntervalMs),
    RUNPOD_AI_API_KEY: workerKey,
    RUNPOD_POD_ID: workerId,
    RUNPOD_POD_HOSTNAME: workerId,
    RUNPOD_ENDPOINT_ID: endpointId,
  }
}

/** The same for a shell: placeholders stay as they are. */
export function exportLines(env: Readonly<Record<string, string>>): string {
  return Object.entries(env)
    .map(([name, value]) => `export ${name}='${value}'`)
    .join('\n')
}
