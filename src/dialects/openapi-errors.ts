import type { ErrorCode } from '../errors.ts'
import { ERRORS, ServerError } from '../errors.ts'
import { deepinfraErrors, objectErrors, teiErrors } from './answers/error-shapes.ts'
import type { ErrorShape } from './dialect.ts'

const string = { type: 'string' }

function object(properties: Readonly<Record<string, unknown>>) {
  return { type: 'object', required: Object.keys(properties), properties }
}

/** By the names under which `errorResponses` refers to them. */
export const ERROR_SCHEMAS = {
  Error: object({
    error: object({ message: string, type: string, param: { type: ['string', 'null'] }, code: string }),
    message: string,
    detail: string,
  }),
  TextEmbeddingsInferenceError: object({ error: string, error_type: string }),
  DeepInfraError: object({ detail: object({ error: string }) }),
}

const NAMES = new Map<ErrorShape, keyof typeof ERROR_SCHEMAS>([
  [objectErrors, 'Error'],
  [teiErrors, 'TextEmbeddingsInferenceError'],
  [deepinfraErrors, 'DeepInfraError'],
])

/** What a client may well meet. */
const SHOWN: readonly [ErrorCode, string][] = [
  ['invalid_request', 'The body is not JSON, or a field is wrong'],
  ['unauthorized', 'The key is missing or wrong'],
  ['model_not_found', 'No such model is served'],
  ['request_too_large', 'The body is too large'],
  ['overloaded', 'The queue is full'],
  ['starting', 'Models are being loaded'],
]

/** By status, as each of the shapes has them. */
export function errorResponses(shapes: readonly ErrorShape[]): Record<string, unknown> {
  const statuses = new Map<number, { descriptions: Set<string>; names: Set<string> }>()
  for (const shape of shapes) {
    for (const [code, description] of SHOWN) {
      const status = shape.status?.(new ServerError(code, description)) ?? ERRORS[code].http
      const { descriptions, names } = statuses.get(status) ?? { descriptions: new Set(), names: new Set() }
      descriptions.add(description)
      names.add(NAMES.get(shape) ?? 'Error')
      statuses.set(status, { descriptions, names })
    }
  }
  return Object.fromEntries(
    [...statuses].map(([status, { descriptions, names }]) => [status, response(descriptions, names)]),
  )
}

function response(descriptions: ReadonlySet<string>, names: ReadonlySet<string>) {
  const refs = [...names].map((name) => ({ $ref: `#/components/schemas/${name}` }))
  const schema = refs.length === 1 ? refs[0] : { anyOf: refs }
  return { description: [...descriptions].join('; '), content: { 'application/json': { schema } } }
}
