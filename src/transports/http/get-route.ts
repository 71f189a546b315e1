import type { FastifyInstance, HTTPMethods, RouteHandlerMethod } from 'fastify'
import { ServerError } from '../../errors.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** No key is asked for. */
    readonly isOpen?: boolean
  }
}

export interface GetRoute {
  readonly url: string
  readonly isOpen?: boolean
  readonly handler: RouteHandlerMethod
}

const ALLOWED = 'GET, HEAD'
const OTHERS: readonly HTTPMethods[] = ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE']

/** A page that is only read: any other method is told so. */
export function getRoute(app: FastifyInstance, { url, isOpen = false, handler }: GetRoute): void {
  app.route({ method: 'GET', url, config: { isOpen }, handler })
  app.route({
    method: [...OTHERS],
    url,
    // Before a body is read.
    onRequest: async ({ method }, reply) => {
      void reply.header('allow', ALLOWED)
      throw new ServerError('method_not_allowed', `${method} is not possible on ${url}; use GET`)
    },
    handler: () => undefined,
  })
}
