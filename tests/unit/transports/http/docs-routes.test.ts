/** What /openapi.json and /docs tell of the server. */
import { readFileSync } from 'node:fs'
import { Script } from 'node:vm'
import { Validator } from '@seriousme/openapi-schema-validator'
import { describe, expect, test } from 'vitest'
import { DIALECTS, ENDPOINTS } from '../../../../src/dialects/registry.ts'
import { docsRoutes } from '../../../../src/transports/http/docs-routes.ts'
import { createServer } from '../../../../src/transports/http/server.ts'
import { openFace } from '../../../fakes/http-face.ts'
import { FakeService } from '../../../fakes/service.ts'

interface Operation {
  readonly tags: readonly string[]
  readonly operationId: string
  readonly security?: readonly unknown[]
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
  readonly requestBody?: { readonly content: Record<string, { readonly schema: unknown }> }
  readonly responses: Record<string, { readonly content?: Record<string, { readonly schema: unknown }> }>
}

interface Document {
  readonly openapi: string
  readonly info: unknown
  readonly security?: unknown
  readonly tags: readonly { readonly name: string }[]
  readonly paths: Record<string, Record<string, Operation>>
  readonly components: {
    readonly schemas: Record<string, { readonly properties?: object; readonly allOf?: readonly unknown[] }>
    readonly securitySchemes?: unknown
  }
}

async function read(apiKey?: string): Promise<Document> {
  const app = createServer({ apiKey })
  const program = { name: 'a-worker', version: '1.2.3' }
  docsRoutes(app, { program, needsKey: apiKey !== undefined, hasJobs: true })
  const text = (await app.inject('/openapi.json')).body
  await app.close()
  return JSON.parse(text) as Document
}

const document = await read()
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
)

describe.each([undefined, 'a-key'])('with the key %s', (apiKey) => {
  test('the document is OpenAPI 3.1, and whatever it refers to is there', async () => {
    const made = await read(apiKey)
    const validator = new Validator()
    expect(await validator.validate({ ...made })).toMatchObject({ valid: true })
    expect([made.openapi, made.info]).toMatchObject(['3.1.0', { title: 'a-worker', version: '1.2.3' }])
    const references = [...JSON.stringify(made).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)]
    expect(references.length).toBeGreaterThan(100)
    for (const [, name = ''] of references) expect(Object.keys(made.components.schemas)).toContain(name)
  })
})

test('a key is told of where one is asked for, and probes are open', async () => {
  const closed = await read('a-key')
  expect(closed.security).toEqual([{ bearer: [] }, { apiKey: [] }])
  expect(closed.paths['/ping']?.['get']?.security).toEqual([])
  expect(closed.paths['/metrics']?.['get']?.security).toBeUndefined()
  expect([document.security, document.components.securitySchemes]).toEqual([undefined, undefined])
})

test('it has every route of every dialect, under its name', () => {
  for (const { name, endpoints } of DIALECTS) {
    for (const { routes, method, docs } of endpoints) {
      for (const route of routes) {
        const operation = document.paths[route.replace('*', '{model}')]?.[method.toLowerCase()]
        if (docs === undefined) expect(operation, route).toBeUndefined()
        else expect(operation?.tags, route).toContain(name)
      }
    }
  }
})

test('whatever is computed for takes the headers of priority and deadline, and nothing else does', () => {
  const headersOf = ({ parameters = [] }: Operation) =>
    parameters.flatMap((parameter) => (parameter.in === 'header' ? [parameter.name] : []))
  for (const { routes, method, docs } of ENDPOINTS) {
    for (const route of docs === undefined ? [] : routes) {
      const operation = document.paths[route.replace('*', '{model}')]?.[method.toLowerCase()] as Operation
      const expected = docs?.request === undefined ? [] : ['x-priority', 'x-request-timeout']
      expect(headersOf(operation), route).toEqual(expected)
    }
  }
  expect(operations.filter(({ operation }) => headersOf(operation).length > 0).length).toBeGreaterThan(10)
})

test('operations have ids of their own', () => {
  const ids = operations.map(({ operation }) => operation.operationId)
  expect(new Set(ids).size).toBe(ids.length)
})

test('fields that many requests share are told once', () => {
  const { schemas } = document.components
  expect(JSON.stringify(document).match(/"truncation_side":/g)).toHaveLength(5)
  expect(schemas['OpenAIV1EmbeddingsRequest']).toMatchObject({
    allOf: [{ $ref: '#/components/schemas/EmbedFields' }],
  })
  expect(Object.keys(schemas['OpenAIV1EmbeddingsRequest']?.properties ?? {})).toEqual(['input'])
  expect(schemas['DeepInfraV1InferenceRequest']?.allOf).toHaveLength(2)
})

test('the two requests of one path stand beside each other', () => {
  const { tags, requestBody, responses } = document.paths['/rerank']?.['post'] ?? {}
  expect(tags).toEqual(['Text Embeddings Inference', 'Infinity'])
  const content = requestBody?.content['application/json']
  expect(content?.schema).toMatchObject({ anyOf: [{}, {}] })
  expect(content).toHaveProperty('examples.Infinity.value.documents')
  expect(responses?.['400']?.content?.['application/json']?.schema).toMatchObject({ anyOf: [{}, {}] })
})

test('failures have the statuses and the shape of their dialect', () => {
  const of = (path: string) => {
    const responses = document.paths[path]?.['post']?.responses ?? {}
    return Object.entries(responses).map(([status, { content }]) => [
      status,
      content?.['application/json']?.schema,
    ])
  }
  const refer = (name: string) => ({ $ref: `#/components/schemas/${name}` })
  const statuses = ['400', '401', '404', '413', '429']
  expect(of('/v1/embeddings').slice(1)).toEqual(
    [...statuses, '503'].map((status) => [status, refer('Error')]),
  )
  expect(of('/embed').slice(1)).toEqual(
    statuses.map((status) => [status, refer('TextEmbeddingsInferenceError')]),
  )
  expect(of('/v1/inference/{model}').slice(1)).toEqual(
    [...statuses, '503'].map((status) => [status, refer('DeepInfraError')]),
  )
})

test('RunPod’s routes are told of only where they are served', async () => {
  expect(document.paths).toHaveProperty('/runsync')
  const { app } = openFace({ service: new FakeService() })
  const { paths, tags } = (await app.inject('/openapi.json')).json<Document>()
  expect(Object.keys(paths)).not.toContain('/runsync')
  expect(tags).not.toContainEqual(expect.objectContaining({ name: 'Jobs' }))
})

test('it is there while models load', async () => {
  const { app } = openFace()
  expect((await app.inject('/openapi.json')).statusCode).toBe(200)
})

test('every endpoint that takes a body shows one', () => {
  for (const { docs, routes } of ENDPOINTS) {
    if (docs?.request !== undefined) expect(docs.example, routes[0]).toBeDefined()
  }
})

test('docs/api.md lists every route of every dialect, and none besides', () => {
  const text = readFileSync(new URL('../../../../docs/api.md', import.meta.url), 'utf8')
  const section = text.split('## Direct routes')[1]?.split('\n## ')[0] ?? ''
  const rows = section.split('\n').filter((line) => line.startsWith('| `'))
  const listed = rows.flatMap((row) => {
    const [method] = /GET|POST/.exec(row) ?? []
    const paths = (row.split('|')[1] ?? '').matchAll(/`(?:GET |POST )?(\/[^`]*)`/g)
    return [...paths].map(([, path]) => `${method} ${path}`)
  })
  const documented = ENDPOINTS.filter(({ docs }) => docs !== undefined)
  const served = documented.flatMap(({ method, routes }) => routes.map((route) => `${method} ${route}`))
  expect(listed.toSorted()).toEqual(served.toSorted())
})

describe('the page', () => {
  test('needs nothing from anywhere else', async () => {
    const { app } = openFace()
    const { statusCode, headers, body } = await app.inject('/docs')
    expect([statusCode, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8'])
    expect(headers['content-security-policy']).toContain("default-src 'none'")
    expect(body).not.toMatch(/https?:|\/\/\w|@import|url\(|<link|<img|src=/)
  })

  test('has a script that can be read', async () => {
    const { app } = openFace()
    const script = /<script>([\s\S]+)<\/script>/.exec((await app.inject('/docs')).body)?.[1] ?? ''
    expect(script).toContain('openapi.json')
    // It is parsed, not run.
    expect(() => new Script(script)).not.toThrow()
  })
})
