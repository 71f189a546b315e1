/** What the load generator itself costs a request, against a server that does nothing. */
import { fileURLToPath } from 'node:url'
import { startProgram } from '../../tests/start-program.ts'
import { median, quantile } from '../harness.ts'
import type { Lane } from './protocol.ts'
import type { LoadClient } from './start-client.ts'

export interface ClientCost {
  readonly name: string
  /** Processor time of the generator a request. */
  readonly cpuMs: number
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

const LANES: readonly Lane[] = [
  { name: 'one short text, one at a time', ...lane(1, 1, 1000) },
  { name: 'one short text, 32 at once', ...lane(1, 32, 4000) },
  { name: 'one short text, 300 at once', ...lane(1, 300, 4000) },
  { name: '32 texts, 8 at once', ...lane(32, 8, 500) },
]

function lane(textsPerRequest: number, connections: number, requests: number): Omit<Lane, 'name'> {
  return { task: 'embed', texts: 'short', textsPerRequest, connections, until: { requests } }
}

export async function measureClientCost(client: LoadClient): Promise<ClientCost[]> {
  const stub = await startProgram({
    file: fileURLToPath(new URL('./stub.ts', import.meta.url)),
    until: /(http\S+)/,
  })
  const costs: ClientCost[] = []
  for (const { name, ...rest } of LANES) {
    const ask = (requests: number) =>
      client.load({
        url: stub.found,
        api: 'openai',
        models: { embed: 'stub', rerank: 'stub' },
        lanes: [{ name, ...rest, until: { requests } }],
        seed: 1,
      })
    await ask(rest.connections * 4)
    const { lanes, cpuSeconds } = await ask((rest.until as { requests: number }).requests)
    const [reply] = lanes
    if (reply === undefined || reply.failed > 0) throw new Error(`the stub failed: ${reply?.failure}`)
    costs.push({
      name,
      cpuMs: (1000 * cpuSeconds) / reply.requests,
      requestsPerSecond: reply.requests / reply.seconds,
      p50Ms: median(reply.latenciesMs),
      p99Ms: quantile(reply.latenciesMs, 0.99),
    })
  }
  await stub.stop()
  return costs
}
