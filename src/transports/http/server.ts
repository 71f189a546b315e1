/** A fastify instance that stands up to bad clients: what every HTTP face of the worker has in common. */
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fastify from 'fastify'
import type { WireResponse } from '../../dialects/dispatch.ts'
import { refuse } from '../../dialects/dispatch.ts'
import { ServerError, stopping } from '../../errors.ts'
import { keyCheck } from './authorize.ts'
import { MAX_BODY_BYTES, readJson } from './body.ts'
import { sendError } from './gateway-error.ts'
import { isGatewayPath } from './gateway-path.ts'
import { toServerError } from './http-error.ts'
import { answerBroken, answerRaw } from './raw-answer.ts'
import { REQUEST_ID, requestIdOf } from './request-id.ts'
import { sendResponse } from './send-response.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** When it came, as `performance.now()` has it; 0 where that was not looked at. */
    startMs: number
  }
}

export interface ServerOptions {
  /** Asked for on every route but the open ones; undefined: none is. */
  readonly apiKey?: string | undefined
  /** Whatever a body says it is, it is read as JSON: RunPod's workers post JSON as a form. */
  readonly anyContentType?: boolean
  readonly maxConnections?: number
  /** Time that a client has for the headers of a request. */
  readonly headersTimeoutMs?: number
  /** Told of requests that no route came to answer: those of RunPod's routes aside. */
  readonly onAnswer?: ((answer: WireResponse, ms: number) => void) | undefined
}

const MAX_CONNECTIONS = 8192
const MAX_HEADER_BYTES = 16_384
/** A client that sends slower than this is holding a connection, not asking something. */
const HEADERS_TIMEOUT_MS = 15_000
const REQUEST_TIMEOUT_MS = 120_000
/** Longer than load balancers keep theirs, so that it is never us who close under a request on its way. */
const KEEP_ALIVE_MS = 75_000
/** Time that a client has, once the server closes, to end what it is half-way through. */
const CLOSE_GRACE_MS = 5000

export function createServer(options: ServerOptions = {}): FastifyInstance {
  const { headersTimeoutMs = HEADERS_TIMEOUT_MS, onAnswer = () => {} } = options
  const fail = async (error: Error, request: FastifyRequest, reply: FastifyReply) => {
    const answer = refuse(
      { method: request.method, route: request.url, body: request.body },
      toServerError(error, request),
    )
    // none has been set where the path cannot be decoded
    onAnswer(answer, request.startMs ? performance.now() - request.startMs : 0)
    return sendResponse(reply, answer)
  }
  const app = fastify({
    bodyLimit: MAX_BODY_BYTES,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: {
      headersTimeout: headersTimeoutMs,
      connectionsCheckingInterval: headersTimeoutMs / 3,
      maxHeaderSize: MAX_HEADER_BYTES,
    },
    routerOptions: { maxParamLength: MAX_HEADER_BYTES },
    genReqId: requestIdOf,
    clientErrorHandler: answerBroken,
    // What is under way at the end gets its answer.
    forceCloseConnections: 'idle',
    // In the shape of its route, by `refuseWhenClosing`.
    return503OnClosing: false,
    // a path that cannot be decoded, or with a part that is too long: no hook has seen it
    frameworkErrors: (error, request, reply) => {
      void reply.header(REQUEST_ID, request.id)
      void (isGatewayPath(request.url) ? sendError : fail)(error, request, reply)
    },
  })
  limitConnections(app, options.maxConnections ?? MAX_CONNECTIONS)
  endStragglers(app)
  readJson(app, options.anyContentType ?? false)
  nameAnswers(app)
  refuseWhenClosing(app)
  const checkKey = keyCheck(options.apiKey)
  app.addHook('onRequest', async ({ headers, routeOptions }) => {
    if (routeOptions.config.isOpen !== true) checkKey(headers)
  })
  app.setErrorHandler(fail)
  return app
}

/** Headers that answers have whatever their route. */
function nameAnswers(app: FastifyInstance): void {
  app.decorateRequest('startMs', 0)
  app.addHook('onRequest', async (request, reply) => {
    request.startMs = performance.now()
    void reply.header(REQUEST_ID, request.id)
  })
  app.addHook('onSend', async (_request, reply) => {
    if (reply.statusCode === 401) void reply.header('www-authenticate', 'Bearer')
    // A client that finds its connection closed while it still sends reads no answer: the rest is read and dropped.
    if (reply.statusCode === 413) reply.removeHeader('connection')
  })
}

/** What still comes over open connections. */
function refuseWhenClosing(app: FastifyInstance): void {
  let isClosing = false
  app.addHook('preClose', async () => void (isClosing = true))
  app.addHook('onRequest', async () => {
    if (isClosing) throw stopping()
  })
}

/** The URL at which it listens; port 0 is any that is free. Throws what `listen` throws: EADDRINUSE, EACCES. */
export async function listen(app: FastifyInstance, host: string, port: number): Promise<string> {
  return app.listen({ host, port, backlog: 4096 })
}

/** Aborted when the client is gone before it has its answer. */
export function clientGone(reply: FastifyReply, controller = new AbortController()): AbortSignal {
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort()
  })
  return controller.signal
}

/** One too many is told so, which a closed socket would not. */
function limitConnections(app: FastifyInstance, maxConnections: number): void {
  let connections = 0
  app.server.prependListener('connection', (socket: Socket) => {
    socket.once('close', () => connections--)
    if (++connections <= maxConnections) return
    const error = new ServerError('overloaded', 'too many connections', { retryAfterMs: 1000 })
    answerRaw(socket, '429 Too Many Requests', error)
  })
}

/** Node watches no timeouts once a server closes: a client that stops half-way through a request would hold it open. */
function endStragglers(app: FastifyInstance): void {
  app.addHook('preClose', async () => {
    const timer = setTimeout(() => app.server.closeAllConnections(), CLOSE_GRACE_MS).unref()
    app.server.once('close', () => clearTimeout(timer))
  })
}
