import { objectErrors } from './answers/error-shapes.ts'
import type { Endpoint } from './dialect.ts'

type Usual = 'method' | 'jobOutput' | 'errors'

/** What most endpoints are: posted to, in a job a list of one body, and for clients that read errors as objects. */
export function endpoint(given: Omit<Endpoint, Usual> & Partial<Pick<Endpoint, Usual>>): Endpoint {
  return { method: 'POST', jobOutput: 'list', errors: objectErrors, ...given }
}
