/** A gateway in this process, and the requests of its worker and its clients. */
import type { GatewayOptions } from '../../../../tools/gateway/gateway.ts'
import { startGateway } from '../../../../tools/gateway/gateway.ts'

export const KEY = 'worker-key'

export async function openEmulated(options: GatewayOptions = {}) {
  const gateway = await startGateway({ workerKey: KEY, holdMs: 50, hangMs: 100, ...options })
  const base = `${gateway.url}/v2/local`
  const asWorker = (path: string, init: RequestInit = {}) =>
    fetch(`${base}/${path}`, { ...init, headers: { authorization: KEY } })
  const asClient = (path: string, body?: unknown) =>
    fetch(`${base}/${path}`, body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) })
  return {
    ...gateway,
    asWorker,
    asClient,
    /** Puts a job into the queue; resolves with its id. */
    submit: async (input: unknown = {}): Promise<string> => {
      const { id } = (await (await asClient('run', { input })).json()) as { id: string }
      return id
    },
    take: async (workerId = 'w'): Promise<unknown> =>
      (await asWorker(`job-take/${workerId}?gpu=none`)).json(),
    post: (jobId: string, body: unknown, workerId = 'w') =>
      asWorker(`job-done/${workerId}/${jobId}?isStream=false`, {
        method: 'POST',
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    status: async (jobId: string) =>
      (await (await asClient(`status/${jobId}`)).json()) as Readonly<Record<string, unknown>>,
    [Symbol.asyncDispose]: gateway.close,
  }
}
