/** A server on loopback that answers as a test tells it to, and keeps what it was asked. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Asked {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

export type Answer = (response: ServerResponse, asked: Asked, request: IncomingMessage) => unknown

export interface PlatformServer {
  readonly origin: string
  readonly asked: Asked[]
  /** Connections so far. */
  readonly connectionCount: () => number
  /** Answers are given in turn; the last one stands for all that follow. */
  readonly answers: Answer[]
  readonly close: () => Promise<void>
}

export async function openPlatformServer(): Promise<PlatformServer> {
  const asked: Asked[] = []
  const answers: Answer[] = []
  let connections = 0
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      const one = { method, url, headers, body: Buffer.concat(chunks).toString() }
      asked.push(one)
      const answer = answers.length > 1 ? answers.shift() : answers[0]
      answer?.(response, one, request)
    })
  })
  server.on('connection', () => connections++)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const close = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return { origin: `http://127.0.0.1:${port}`, asked, connectionCount: () => connections, answers, close }
}

export function json(value: unknown): Answer {
  return (response) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

export function status(code: number, headers: Record<string, string> = {}): Answer {
  return (response) => response.writeHead(code, headers).end()
}

/** The connection breaks before anything is answered. */
export const drop: Answer = (response) => response.destroy()

export const silence: Answer = () => {}
