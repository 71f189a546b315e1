import { show } from '../base/json-value.ts'
import { ServerError } from '../errors.ts'
import type { Priority } from '../task.ts'
import type { WireRequest } from './dialect.ts'
import { fieldsOf } from './requests/read-body.ts'

/**
 * What the header says, else the body. A body's that cannot be read is no mistake: clients of other servers send numbers of
 * theirs. Throws `invalid_request` for such a header, which nobody sends without meaning it.
 */
export function readPriority({ priority: header, body }: WireRequest): Priority | undefined {
  if (header === undefined) return parsePriority(fieldsOf(body)['priority'])
  const priority = parsePriority(header)
  if (priority !== undefined) return priority
  throw new ServerError(
    'invalid_request',
    `x-priority is ${show(header)}; it must be high, normal, low or a whole number, where less than 0 is high and more is low`,
    { param: 'x-priority' },
  )
}

/** vLLM's and Cohere's whole number, where less is earlier and 0 is what is not given; or a name. */
function parsePriority(value: unknown): Priority | undefined {
  const text = typeof value === 'string' ? value.trim().toLowerCase() : value
  if (text === 'high' || text === 'normal' || text === 'low') return text
  const number = typeof text === 'string' && /^[+-]?\d{1,15}$/.test(text) ? Number(text) : text
  if (!Number.isInteger(number)) return undefined
  const sign = Math.sign(number as number)
  return sign < 0 ? 'high' : sign === 0 ? 'normal' : 'low'
}
