import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, request as ask } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

export interface Passed {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: object
}

export interface Tap extends AsyncDisposable {
  readonly url: string
  /** All that has passed. */
  readonly requests: readonly Passed[]
}

/** Stands before a server, remembers what clients send, and may answer in its place. */
export async function openTap(
  target: string,
  answerInstead: (request: Passed, count: number) => Answer | undefined = () => undefined,
): Promise<Tap> {
  const requests: Passed[] = []
  const server = createServer((incoming, outgoing) => void pass(incoming, outgoing))
  async function pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = 'GET', url: path = '/', headers } = incoming
    const body = await buffer(incoming)
    const passed = { method, path, headers, body: body.toString() }
    requests.push(passed)
    const answer = answerInstead(passed, requests.length)
    if (answer !== undefined) {
      outgoing.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers })
      outgoing.end(JSON.stringify(answer.body))
      return
    }
    const forward = ask(`${target}${path}`, { method, headers }, (response) => {
      outgoing.writeHead(response.statusCode ?? 500, response.headers)
      response.pipe(outgoing)
    })
    forward.once('error', () => outgoing.destroy())
    forward.end(body)
  }
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const close = async () => {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }
  return { url: `http://127.0.0.1:${port}`, requests, [Symbol.asyncDispose]: close }
}
