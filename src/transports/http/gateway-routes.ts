import type { FastifyInstance, HTTPMethods } from 'fastify'
import { sendError, sendRefusal, sendWrongMethod } from './gateway-error.ts'
import type { Gateway, Operation } from './gateway-operations.ts'
import {
  cancel,
  health,
  purgeQueue,
  requests,
  retry,
  run,
  runSync,
  status,
  statusSync,
  stream,
} from './gateway-operations.ts'
import { pathPart } from './gateway-request.ts'
import { openai } from './openai-route.ts'

export interface GatewayRoutesOptions extends Gateway {
  /** Both unless told: at the root, and where the platform has them. */
  readonly prefixes?: readonly ('' | '/v2/:endpointId')[] | undefined
  /** The one endpoint that is served; undefined: whatever the path says. */
  readonly endpointId?: string | undefined
}

interface Route {
  readonly path: string
  readonly methods: readonly HTTPMethods[]
  readonly operation: Operation
  readonly bodyLimit?: number
}

/** RunPod's limits; its documents do not say whether a MB has 1000 or 1024 kB. */
const RUN_BYTES = 10_000_000
const SYNC_BYTES = 20_000_000

const ROUTES: readonly Route[] = [
  { path: '/run', methods: ['POST'], operation: run, bodyLimit: RUN_BYTES },
  { path: '/runsync', methods: ['POST'], operation: runSync, bodyLimit: SYNC_BYTES },
  { path: '/status/:id', methods: ['GET', 'POST'], operation: status },
  { path: '/status-sync/:id', methods: ['GET'], operation: statusSync },
  { path: '/stream/:id', methods: ['GET', 'POST'], operation: stream },
  { path: '/cancel/:id', methods: ['POST'], operation: cancel },
  { path: '/retry/:id', methods: ['POST'], operation: retry },
  { path: '/purge-queue', methods: ['POST'], operation: purgeQueue },
  { path: '/requests', methods: ['GET'], operation: requests },
  {
    path: '/openai/*',
    methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
    operation: openai,
    bodyLimit: SYNC_BYTES,
  },
]

/** At the root this path is the server's own. */
const HEALTH: Route = { path: '/health', methods: ['GET'], operation: health }

const METHODS: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

/** Adds RunPod's operations on jobs, and OpenAI's routes as jobs. Errors are `{"error":"…"}`, whatever the server's own are. */
export function gatewayRoutes(app: FastifyInstance, options: GatewayRoutesOptions): void {
  const { prefixes = ['', '/v2/:endpointId'], endpointId } = options
  for (const prefix of prefixes) {
    void app.register(
      async (scope) => {
        scope.setErrorHandler(sendError)
        if (prefix === '') return addRoutes(scope, ROUTES, options)
        if (endpointId !== undefined) refuseOthers(scope, endpointId)
        addRoutes(scope, [...ROUTES, HEALTH], options)
      },
      { prefix },
    )
  }
}

function refuseOthers(scope: FastifyInstance, endpointId: string): void {
  scope.addHook('onRequest', async (request, reply) => {
    const asked = pathPart(request, 'endpointId')
    const isServed = asked === endpointId
    return isServed ? undefined : sendRefusal(reply, 404, `there is no endpoint ${JSON.stringify(asked)}`)
  })
}

function addRoutes(scope: FastifyInstance, routes: readonly Route[], gateway: Gateway): void {
  for (const { path: url, methods, operation, bodyLimit } of routes) {
    scope.route({
      method: [...methods],
      url,
      exposeHeadRoute: false,
      ...(bodyLimit === undefined ? {} : { bodyLimit }),
      handler: (request, reply) => operation(gateway, request, reply),
    })
    scope.route({
      method: METHODS.filter((method) => !methods.includes(method)),
      url,
      exposeHeadRoute: false,
      // Before a body is read.
      onRequest: async (request, reply) => sendWrongMethod(reply, request.method, methods),
      handler: () => undefined,
    })
  }
}
