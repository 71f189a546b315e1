import type { z } from 'zod'
import { describeIssue } from '../../base/describe-issue.ts'
import { isGiven, isRecord, show } from '../../base/json-value.ts'
import { ServerError } from '../../errors.ts'

/** A list of wrong items has as many problems. */
const SHOWN_PROBLEMS = 5

/** A request body, checked. Throws `invalid_request` naming each field, its value and what it may be. */
export function readBody<S extends z.ZodType>(schema: S, body: unknown, what = 'the request'): z.output<S> {
  const result = schema.safeParse(body)
  if (result.success) return result.data
  const problems = result.error.issues.slice(0, SHOWN_PROBLEMS).map((found) => {
    const issue = withinUnion(found)
    const value = issue.path.reduce<unknown>(
      (at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key],
      body,
    )
    return `${fieldName(issue.path) || what} is ${show(value)}; ${describeIssue(issue)}`
  })
  const [first] = result.error.issues
  const param = first && (fieldName(withinUnion(first).path) || undefined)
  throw new ServerError('invalid_request', problems.join('; '), { param })
}

/** Of a union the item that is wrong, where the value is a list as one of its forms is. */
function withinUnion(issue: z.core.$ZodIssue): z.core.$ZodIssue {
  if (issue.code !== 'invalid_union') return issue
  const inner = issue.errors.flat().find(({ path }) => path.length > 0)
  return inner === undefined ? issue : { ...inner, path: [...issue.path, ...inner.path] }
}

function fieldName(path: readonly PropertyKey[]): string {
  return path
    .map((key, index) => (typeof key === 'number' ? `[${key}]` : `${index > 0 ? '.' : ''}${String(key)}`))
    .join('')
}

/** What a value that was expected to be something else is told: that it is missing, or what it is. */
export function notA(wanted: string, value: unknown, field: string): ServerError {
  const is = isGiven(value) ? `is ${show(value)}` : 'is missing'
  return new ServerError('invalid_request', `${field} ${is}; it must be ${wanted}`, { param: field })
}

/** Fields of a body that may be anything. */
export function fieldsOf(body: unknown): Readonly<Record<string, unknown>> {
  return isRecord(body) ? body : {}
}

/** The first of several names that a client used, or the likeliest. */
export function firstField(
  fields: Readonly<Record<string, unknown>>,
  names: readonly [string, ...string[]],
): string {
  return names.find((name) => isGiven(fields[name])) ?? names[0]
}
