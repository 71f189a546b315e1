import { z } from 'zod'
import { describeIssue } from '../base/describe-issue.ts'
import { ServerError } from '../errors.ts'

/** It is echoed in the answer. */
export const MODEL_NAME = z.string().max(256).nullish()

/** A request body, checked. Throws `invalid_request` naming each field, its value and what it may be. */
export function readBody<S extends z.ZodType>(schema: S, body: unknown, what: string): z.output<S> {
  const result = schema.safeParse(body)
  if (result.success) return result.data
  const problems = result.error.issues.map((issue) => {
    const value = issue.path.reduce<unknown>(
      (at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key],
      body,
    )
    return `${issue.path.join('.') || what} is ${show(value)}; ${describeIssue(issue)}`
  })
  throw new ServerError('invalid_request', problems.join('; '))
}

export interface TextsOptions {
  /** The field as the client spelt it. */
  readonly field: string
  /** A single string stands for a list of one. */
  readonly single: boolean
}

/** Texts of a request. A plain loop: a schema would take ten milliseconds for a large list. Throws `invalid_request`. */
export function readTexts(value: unknown, { field, single }: TextsOptions): readonly string[] {
  const wanted = single ? 'a string or a list of strings' : 'a list of strings'
  if (single && typeof value === 'string') return [value]
  if (value === undefined || value === null)
    throw new ServerError('invalid_request', `${field} is missing; it must be ${wanted}`)
  if (!Array.isArray(value))
    throw new ServerError('invalid_request', `${field} is ${show(value)}; it must be ${wanted}`)
  if (value.length === 0)
    throw new ServerError('invalid_request', `${field} is an empty list; at least one text is needed`)
  const wrong = value.findIndex((item) => typeof item !== 'string')
  if (wrong < 0) return value as string[]
  throw new ServerError(
    'invalid_request',
    `${field}[${wrong}] is ${show(value[wrong])}; every item must be a string`,
  )
}

/** The string of a required field. Throws `invalid_request`. */
export function readText(value: unknown, field: string): string {
  if (typeof value === 'string') return value
  const is = value === undefined || value === null ? 'is missing' : `is ${show(value)}`
  throw new ServerError('invalid_request', `${field} ${is}; it must be a string`)
}

const SHOWN_CHARACTERS = 60

/** A value as an error shows it: short, and never a client's whole text. */
export function show(value: unknown): string {
  if (value === undefined) return 'missing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'object') return 'an object'
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value !== 'string') return `of type ${typeof value}`
  const text = JSON.stringify(value)
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text
}
