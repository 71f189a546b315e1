import type { CallOptions, Service } from '../task.ts'

/** A request whose transport no longer matters. */
export interface WireRequest {
  /** Path asked for; undefined: a job whose keys tell what it wants. */
  readonly route: string | undefined
  /** Parsed JSON. */
  readonly body: unknown
}

/** The names under which a client's vocabulary is reached, and what it makes of a request. Throws `ServerError`. */
export interface Endpoint {
  readonly routes: readonly string[]
  readonly answer: (body: unknown, service: Service, options: CallOptions) => Promise<object>
}
