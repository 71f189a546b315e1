/** The server with every route that does not need a store, over an engine that is none. */
import type { AddressInfo, Socket } from 'node:net'
import { connect } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { onTestFinished } from 'vitest'
import { Metrics } from '../../src/base/metrics.ts'
import type { WireResponse } from '../../src/dialects/dispatch.ts'
import type { CallOptions, EmbedResult, EmbedTask, Service } from '../../src/task.ts'
import type { GateOptions } from '../../src/transports/gate.ts'
import { Gate } from '../../src/transports/gate.ts'
import { directRoutes } from '../../src/transports/http/direct-routes.ts'
import { gatewayRoutes } from '../../src/transports/http/gateway-routes.ts'
import { docsRoutes } from '../../src/transports/http/docs-routes.ts'
import { metricsRoute, probes } from '../../src/transports/http/probes.ts'
import type { ServerOptions } from '../../src/transports/http/server.ts'
import { createServer, listen } from '../../src/transports/http/server.ts'
import { Lifecycle } from '../../src/transports/lifecycle.ts'
import { WORKER_COUNTS } from './gateway.ts'
import { openStore } from './job-store.ts'
import { FakeService } from './service.ts'

export interface FakeFaceOptions extends ServerOptions {
  /** Undefined: still loading. */
  readonly service?: Service | undefined
  readonly gate?: Partial<GateOptions>
  /** RunPod's routes beside, with nobody to take the jobs. */
  readonly hasGateway?: boolean
}

export interface FakeFace {
  readonly app: FastifyInstance
  readonly lifecycle: Lifecycle
  readonly gate: Gate
  /** What was told of each answer. */
  readonly answers: WireResponse[]
  /** On a real socket, whose port it resolves with. */
  readonly listen: () => Promise<number>
}

const PROGRAM = { name: 'a-worker', version: '1.2.3' }

export function openFace({ service, gate: limits, hasGateway, ...options }: FakeFaceOptions = {}): FakeFace {
  const answers: WireResponse[] = []
  const onAnswer = (answer: WireResponse, ms: number) => {
    metrics.answered(answer, ms)
    answers.push(answer)
  }
  const app = createServer({ ...options, onAnswer })
  const lifecycle = new Lifecycle()
  const gate = new Gate({ concurrency: 100, maxWaiting: 100, maxWaitingBytes: 1e9, ...limits })
  const metrics = new Metrics({ models: () => service?.models() ?? [], gate: () => gate })
  if (service !== undefined) lifecycle.ready(service)
  probes(app, lifecycle, PROGRAM)
  metricsRoute(app, metrics)
  if (hasGateway) {
    gatewayRoutes(app, {
      store: openStore().store,
      workers: () => WORKER_COUNTS,
      webhooks: { check: () => {} },
      cancelOnDisconnect: true,
    })
  }
  docsRoutes(app, { program: PROGRAM, needsKey: options.apiKey !== undefined, hasJobs: false })
  directRoutes(app, { lifecycle, gate, onAnswer })
  onTestFinished(() => closeAtOnce(app))
  return { app, lifecycle, gate, answers, listen: () => listenAnywhere(app) }
}

export async function listenAnywhere(app: FastifyInstance): Promise<number> {
  await listen(app, '127.0.0.1', 0)
  return (app.server.address() as AddressInfo).port
}

export async function closeAtOnce(app: FastifyInstance): Promise<void> {
  const closed = app.close()
  app.server.closeAllConnections()
  await closed
}

/** An engine that answers when it is told to, or fails when the request is cancelled. */
export class HeldService extends FakeService {
  readonly started: (CallOptions | undefined)[] = []
  readonly #release = Promise.withResolvers<void>()
  readonly #arrivals: (() => void)[] = []

  override readonly embed = async (task: EmbedTask, options?: CallOptions): Promise<EmbedResult> => {
    this.started.push(options)
    for (const arrived of this.#arrivals.splice(0)) arrived()
    await this.#release.promise
    return new FakeService().embed(task, options)
  }

  release(): void {
    this.#release.resolve()
  }

  /** Resolves once so many requests have come. */
  async arrived(count: number): Promise<void> {
    while (this.started.length < count) {
      await new Promise<void>((resolve) => this.#arrivals.push(resolve))
    }
  }
}

/** A client that writes what it likes. */
export interface RawClient {
  readonly socket: Socket
  /** All that came until the server closed the connection; an error is told by its code. */
  readonly all: Promise<string>
}

export function connectRaw(port: number, text: string): RawClient {
  const socket = connect(port, '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  const { promise: all, resolve } = Promise.withResolvers<string>()
  let received = ''
  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => (received += chunk))
  socket.on('error', (error: NodeJS.ErrnoException) => (received += ` ${error.code}`))
  socket.on('close', () => resolve(received))
  socket.write(text)
  return { socket, all }
}

/** A whole answer, taken apart. */
export function parseAnswer(text: string): { status: number; headers: Headers; body: unknown } {
  const [head = '', body = ''] = text.split('\r\n\r\n')
  const [statusLine = '', ...lines] = head.split('\r\n')
  const headers = new Headers(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  )
  return {
    status: Number(statusLine.split(' ')[1]),
    headers,
    body: body === '' ? undefined : JSON.parse(body),
  }
}
