import type { z } from 'zod'
import type { ServerError } from '../errors.ts'
import type { CallOptions, Service } from '../task.ts'

export type Method = 'GET' | 'POST'

/** A request whose transport no longer matters. */
export interface WireRequest {
  /** Undefined where the transport has none: a job. */
  readonly method?: string | undefined
  /** Path asked for; undefined: a job whose keys tell what it wants. */
  readonly route: string | undefined
  /** Parsed JSON. */
  readonly body: unknown
  /** As a header says it. */
  readonly priority?: string | undefined
}

export interface WireResponse {
  /** HTTP status, for transports that have one. */
  readonly status: number
  /** For `encodeJson`: vectors may be typed arrays. Undefined where the dialect has no body for an error. */
  readonly body: object | undefined
  /** How a job's output carries the body: RunPod's gateway unwraps a list of one, but shows a listing as it is. */
  readonly jobOutput: 'list' | 'bare'
  readonly error?: ServerError
  /** What a failed job's string carries of `body`: without what is there for other clients. */
  readonly brief?: object | undefined
  readonly headers: Readonly<Record<string, string>>
  /** The served route, as its endpoint spells it, or `job`; undefined where there is none. */
  readonly route: string | undefined
  /** The model that answered. */
  readonly model?: string | undefined
}

/** What an endpoint is given of a request. */
export interface EndpointRequest {
  readonly body: unknown
  /** What stands for the star of the route; undefined where it has none. */
  readonly pathModel: string | undefined
}

/** How a dialect says that something went wrong. */
export interface ErrorShape {
  /** Undefined: a job's string says all. */
  readonly body: (error: ServerError) => object | undefined
  /** Where less says the same to the clients that a job has. */
  readonly brief?: (error: ServerError) => object
  /** Where it is not what the table of errors says. */
  readonly status?: (error: ServerError) => number
}

/** What /openapi.json says of an endpoint. The schemas are those that read the request, and that tests hold answers to. */
export interface EndpointDocs {
  readonly summary: string
  readonly request?: z.ZodType
  readonly response: z.ZodType
  /** A body that a server with models of every kind answers with 200. */
  readonly example?: object
}

/** The routes under which a client's vocabulary is reached, and what it makes of a request. */
export interface Endpoint {
  /** A star stands for a model's name, slashes included. The first is how metrics and errors call the endpoint. */
  readonly routes: readonly string[]
  readonly method: Method
  /** Of endpoints that share a route the first that knows the body answers. */
  readonly knows?: (body: unknown) => boolean
  readonly jobOutput: WireResponse['jobOutput']
  readonly errors: ErrorShape
  /** Undefined: it is there to say no. */
  readonly docs?: EndpointDocs
  /** Throws `ServerError`. */
  readonly answer: (request: EndpointRequest, service: Service, options: CallOptions) => Promise<object>
}
