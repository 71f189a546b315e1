import type { FastifyRequest } from 'fastify'
import { show } from '../../base/json-value.ts'
import { ServerError } from '../../errors.ts'

/** The header in which a client says in how many seconds it wants its answer. */
const OURS = 'x-request-timeout'
/** Those in which OpenAI's libraries say how long they wait, in whole seconds. */
const THEIRS = ['x-stainless-timeout', 'x-stainless-read-timeout']

/** As long as a timer may run. */
const MAX_SECONDS = 2_147_483

/** Milliseconds in which the client wants its answer; undefined where it does not say. Throws `invalid_request`. */
export function timeoutMsOf({ headers }: Pick<FastifyRequest, 'headers'>): number | undefined {
  const given = headers[OURS]
  if (given !== undefined) return 1000 * expectSeconds(given)
  // None is 0 there, and whatever else it may be is no mistake of whoever wrote the program.
  const theirs = THEIRS.map((name) => secondsOf(headers[name])).find((seconds) => seconds !== undefined)
  // They leave out the fraction: so many seconds, and up to one more.
  return theirs === undefined ? undefined : 1000 * Math.min(MAX_SECONDS, theirs + 1)
}

/** What a request is answered with whose time is up. */
export function timeIsUp(timeoutMs: number): ServerError {
  const message = `the request was to be answered within ${timeoutMs / 1000} s and was not`
  return new ServerError('deadline_exceeded', message)
}

function expectSeconds(given: string | readonly string[]): number {
  const seconds = secondsOf(given)
  if (seconds !== undefined) return seconds
  const message = `${OURS} is ${show(given)}; it must be a number of seconds, more than 0 and at most ${MAX_SECONDS}`
  throw new ServerError('invalid_request', message, { param: OURS })
}

function secondsOf(given: unknown): number | undefined {
  if (typeof given !== 'string' || !/^\d{1,7}(?:\.\d{1,9})?$/.test(given)) return undefined
  const seconds = Number(given)
  return seconds > 0 && seconds <= MAX_SECONDS ? seconds : undefined
}
