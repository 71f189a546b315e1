import type { ServerError } from '../errors.ts'
import type { CallOptions, Service } from '../task.ts'

/** A request whose transport no longer matters. */
export type Method = 'GET' | 'POST'

export interface WireRequest {
  /** Undefined where the transport has none: a job. */
  readonly method?: string | undefined
  /** Path asked for; undefined: a job whose keys tell what it wants. */
  readonly route: string | undefined
  /** Parsed JSON. */
  readonly body: unknown
}

export interface WireResponse {
  /** HTTP status, for transports that have one. */
  readonly status: number
  /** Undefined where the dialect has no body for an error. */
  readonly body: object | undefined
  /** How a job's output carries the body: RunPod's gateway unwraps a list of one, but shows a listing as it is. */
  readonly jobOutput: 'list' | 'bare'
  readonly error?: ServerError
  readonly headers: Readonly<Record<string, string>>
  /** The served route, as its endpoint spells it, or `job`; undefined where there is none. */
  readonly route: string | undefined
  /** The model that answered. */
  readonly model?: string | undefined
}

/** The routes under which a client's vocabulary is reached, and what it makes of a request. */
export interface Endpoint {
  readonly routes: readonly string[]
  readonly method: Method
  readonly jobOutput: WireResponse['jobOutput']
  /** Throws `ServerError`. */
  readonly answer: (body: unknown, service: Service, options: CallOptions) => Promise<object>
  readonly errorBody: (error: ServerError) => object | undefined
}
