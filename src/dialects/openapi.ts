/** What the dialects' routes take and answer, in the terms of OpenAPI 3.1. */
import { z } from 'zod'
import { EmbeddingAnswer } from './answers/embedding-answer.ts'
import { Usage } from './answers/envelope.ts'
import { RerankAnswer } from './answers/rerank-answer.ts'
import type { Endpoint, EndpointDocs } from './dialect.ts'
import { ERROR_SCHEMAS, errorResponses } from './openapi-errors.ts'
import { DIALECTS } from './registry.ts'
import { CLASSIFY_FIELDS } from './requests/classify-request.ts'
import { EmbedBody } from './requests/embed-request.ts'
import { RerankBody } from './requests/rerank-request.ts'

export type Json = Readonly<Record<string, unknown>>

/** Parts of a document. */
export interface DialectDocs {
  readonly tags: readonly Json[]
  /** Operations by path, and by method in small letters. */
  readonly paths: Readonly<Record<string, Json>>
  /** What they refer to. */
  readonly schemas: Json
}

/** Takes some ten milliseconds. */
export function describeDialects(): DialectDocs {
  const described = DIALECTS.flatMap(({ name, endpoints }) =>
    endpoints.flatMap((endpoint) =>
      endpoint.docs === undefined ? [] : [{ name, endpoint, docs: endpoint.docs }],
    ),
  )
  const requests = nameSchemas(TABLES)
  const answers = nameSchemas({ Usage, EmbeddingAnswer, RerankAnswer })
  const operations = new Map<string, Described[]>()
  for (const { name, endpoint, docs } of described) {
    const title = `${name} ${endpoint.routes[0]}`
    const request = docs.request && requests.refer(docs.request, `${title} request`)
    const answer = answers.refer(docs.response, `${title} answer`)
    for (const route of endpoint.routes) {
      const place = `${endpoint.method.toLowerCase()} ${route.replace('*', '{model}')}`
      operations.set(place, [...(operations.get(place) ?? []), { name, endpoint, docs, request, answer }])
    }
  }
  const paths: Record<string, Record<string, unknown>> = {}
  for (const [place, all] of operations) {
    const [method = '', path = ''] = place.split(' ')
    paths[path] = { ...paths[path], [method]: operation(place, all) }
  }
  return {
    tags: [...new Set(described.map(({ name }) => name))].map((name) => ({ name })),
    paths,
    schemas: { ...factorOut(requests.schemas('input')), ...answers.schemas('output'), ...ERROR_SCHEMAS },
  }
}

interface Described {
  /** Of the dialect. */
  readonly name: string
  readonly endpoint: Endpoint
  readonly docs: EndpointDocs
  readonly request: Json | undefined
  readonly answer: Json
}

/** Of endpoints that share a path, told apart by their bodies. */
function operation(place: string, all: readonly Described[]): Json {
  const requests = all.flatMap(({ request }) => (request === undefined ? [] : [request]))
  const examples = all.flatMap(({ name, docs: { example } }) =>
    example === undefined ? [] : [[name, { value: example }] as const],
  )
  const content = {
    schema: anyOf(requests),
    ...(examples.length === 0 ? {} : { examples: Object.fromEntries(examples) }),
  }
  const parameters = [
    ...(place.includes('{model}') ? [MODEL_IN_PATH] : []),
    ...(requests.length === 0 ? [] : HEADERS),
  ]
  return {
    operationId: place.replaceAll(/\W+/g, '_').replace(/_$/, ''),
    tags: all.map(({ name }) => name),
    summary: all.map(({ docs }) => docs.summary).join('. Or: '),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(requests.length === 0
      ? {}
      : { requestBody: { required: true, content: { 'application/json': content } } }),
    responses: {
      200: {
        description: 'The answer',
        content: { 'application/json': { schema: anyOf(all.map(({ answer }) => answer)) } },
      },
      ...errorResponses([...new Set(all.map(({ endpoint }) => endpoint.errors))]),
    },
  }
}

const MODEL_IN_PATH = {
  name: 'model',
  in: 'path',
  required: true,
  description: 'A served model; slashes in its name may stand as they are.',
  schema: { type: 'string' },
}

/** Of requests that something is computed for. */
const HEADERS: readonly Json[] = [
  {
    name: 'x-priority',
    in: 'header',
    description:
      'high, normal or low; or a whole number, where less is earlier: below 0 is high, 0 normal, above 0 low. It wins over a priority in the body.',
    schema: { type: 'string', default: 'normal' },
  },
  {
    name: 'x-request-timeout',
    in: 'header',
    description:
      'Seconds within which the answer is of use: over them the request is given up, and one that would surely take longer is refused.',
    schema: { type: 'number', exclusiveMinimum: 0 },
  },
]

function anyOf(schemas: readonly Json[]): Json {
  return schemas.length === 1 ? (schemas[0] as Json) : { anyOf: schemas }
}

/** The fields that many requests share. */
const TABLES = {
  EmbedFields: EmbedBody,
  RerankFields: RerankBody,
  ClassifyFields: z.looseObject(CLASSIFY_FIELDS),
}

function nameSchemas(named: Readonly<Record<string, z.ZodType>>) {
  const registry = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(named)) registry.add(schema, { id })
  const refer = (schema: z.ZodType, title: string): Json => {
    const id =
      registry.get(schema)?.id ?? title.replaceAll(/\W+(\w?)/g, (_, letter: string) => letter.toUpperCase())
    registry.add(schema, { id })
    return { $ref: uri(id) }
  }
  const schemas = (io: 'input' | 'output'): Record<string, Json> => {
    const made = z.toJSONSchema(registry, {
      uri,
      io,
      target: 'draft-2020-12',
    }).schemas
    return Object.fromEntries(
      Object.entries(made).map(([id, { $schema: _schema, $id: _id, ...schema }]) => [id, schema as Json]),
    )
  }
  return { refer, schemas }
}

function uri(id: string): string {
  return `#/components/schemas/${id}`
}

/** Requests with the tables of fields referred to, not repeated. */
function factorOut(schemas: Readonly<Record<string, Json>>): Record<string, Json> {
  const tables = Object.keys(TABLES).map((id) => ({ id, fields: propertiesOf(schemas[id]) }))
  return Object.fromEntries(
    Object.entries(schemas).map(([id, schema]) => {
      const own = propertiesOf(schema)
      const within = tables.filter(({ fields }) => isPart(fields, own))
      const used = within.filter(
        (table) => !within.some((other) => other !== table && isPart(table.fields, other.fields)),
      )
      if (used.length === 0 || Object.hasOwn(TABLES, id)) return [id, schema]
      const isShared = ([field, is]: [string, unknown]) =>
        used.some(({ fields }) => JSON.stringify(fields[field]) === JSON.stringify(is))
      const properties = Object.fromEntries(Object.entries(own).filter((entry) => !isShared(entry)))
      return [id, { ...schema, allOf: used.map(({ id }) => ({ $ref: uri(id) })), properties }]
    }),
  )
}

function isPart(fields: Json, whole: Json): boolean {
  return Object.keys(fields).every((field) => Object.hasOwn(whole, field))
}

function propertiesOf(schema: Json | undefined): Json {
  return (schema?.['properties'] ?? {}) as Json
}
