/** Single questions to a server, outside of what is timed under load. */
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import { pathOf } from '../client/bodies.ts'
import type { Api } from '../client/protocol.ts'
import type { ProcessGroup } from './process-group.ts'

/** Between two tries: small against every start that is measured, and still no work worth mentioning. */
const POLL_MS = 5

/** A port that nothing listens on now. */
export function freePort(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const server = createServer()
  server.once('error', reject)
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo
    server.close(() => resolve(port))
  })
  return promise
}

export interface Asked {
  readonly url: string
  readonly api: Api
  readonly model: string
}

/** Throws where the answer is not 200. */
export async function askVectors({ url, api, model }: Asked, texts: readonly string[]): Promise<number[][]> {
  const body = api === 'tei' ? { inputs: texts } : { model, input: texts }
  const headers = { 'content-type': 'application/json' }
  const answer = await request(url + pathOf(api, 'embed'), {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
  })
  const text = await answer.body.text()
  if (answer.statusCode !== 200)
    throw new Error(`${url} answered ${answer.statusCode}: ${text.slice(0, 300)}`)
  if (api === 'tei') return JSON.parse(text) as number[][]
  const { data } = JSON.parse(text) as { data: { embedding: number[] }[] }
  return data.map(({ embedding }) => embedding)
}

/** Milliseconds from the start of the process to its first vector over HTTP. Throws where it ends, or takes longer than `patienceMs`. */
export async function firstAnswer(asked: Asked, group: ProcessGroup, patienceMs: number): Promise<number> {
  for (;;) {
    try {
      await askVectors(asked, ['Hello world'])
      return performance.now() - group.startedMs
    } catch (error) {
      const { exitCode, signalCode, pid } = group.child
      if (pid === undefined || exitCode !== null || signalCode !== null)
        throw new Error(`it ended with ${exitCode ?? signalCode}: ${group.output()}`, { cause: error })
      if (performance.now() - group.startedMs > patienceMs)
        throw new Error(`no answer after ${patienceMs / 1000} s: ${group.output()}`, { cause: error })
    }
    await sleep(POLL_MS)
  }
}
