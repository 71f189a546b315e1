import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { describeDialects } from '../../dialects/openapi.ts'
import { DOCS_PAGE } from './docs-page.ts'
import { getRoute } from './get-route.ts'
import { JOBS_TAG, JOB_SCHEMAS, PROBES_TAG, jobPaths, probePaths } from './job-docs.ts'
import type { Program } from './probes.ts'

export interface DocsOptions {
  readonly program: Program
  readonly needsKey: boolean
  /** Whether RunPod's routes are served. */
  readonly hasJobs: boolean
}

/** The page runs its own script, talks to its own server, and nothing else. */
const PAGE_POLICY = [
  "default-src 'none'",
  "style-src 'unsafe-inline'",
  "script-src 'unsafe-inline'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** `/openapi.json`, made when it is first asked for, and `/docs`, a page that shows it. */
export function docsRoutes(app: FastifyInstance, options: DocsOptions): void {
  let written: string | undefined
  getRoute(app, {
    url: '/openapi.json',
    isOpen: true,
    handler: (_request: FastifyRequest, reply: FastifyReply) =>
      reply.type('application/json').send((written ??= JSON.stringify(openapiDocument(options), isTelling))),
  })
  getRoute(app, {
    url: '/docs',
    isOpen: true,
    handler: (_request: FastifyRequest, reply: FastifyReply) =>
      reply
        .headers({ 'content-security-policy': PAGE_POLICY, 'x-content-type-options': 'nosniff' })
        .type('text/html; charset=utf-8')
        .send(DOCS_PAGE),
  })
}

export function openapiDocument({ program, needsKey, hasJobs }: DocsOptions): object {
  const { tags, paths, schemas } = describeDialects()
  const own = { ...(hasJobs ? jobPaths() : {}), ...probePaths() }
  const all = [...new Set([...Object.keys(paths), ...Object.keys(own)])]
  return {
    openapi: '3.1.0',
    info: {
      title: program.name,
      version: program.version,
      description:
        'Embeds and reranks text, in the dialect of the route. A route under /v1 is served without it as well.',
    },
    servers: [{ url: '/' }],
    ...(needsKey ? { security: [{ bearer: [] }, { apiKey: [] }] } : {}),
    tags: [...tags, ...(hasJobs ? [JOBS_TAG] : []), PROBES_TAG],
    paths: Object.fromEntries(all.map((path) => [path, { ...paths[path], ...own[path] }])),
    components: {
      schemas: { ...schemas, ...(hasJobs ? JOB_SCHEMAS : {}) },
      ...(needsKey ? { securitySchemes: SECURITY } : {}),
    },
  }
}

const SECURITY = {
  bearer: { type: 'http', scheme: 'bearer' },
  apiKey: { type: 'apiKey', in: 'header', name: 'api-key' },
}

/** That a whole number is one that JavaScript can hold tells a client nothing. */
function isTelling(_key: string, value: unknown): unknown {
  return value === Number.MAX_SAFE_INTEGER || value === Number.MIN_SAFE_INTEGER ? undefined : value
}
