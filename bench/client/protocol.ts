/** What the bench asks of its load generator, and what it hears back. */

/** Tokens of a text, special ones included: 5 to 15; 5 to 256, log-normal with median 63; 240 to 256. */
export type TextKind = 'short' | 'mixed' | 'long'

/** How a server is asked for vectors: by OpenAI's route, or by that of Text Embeddings Inference. */
export const APIS = ['openai', 'tei'] as const
export type Api = (typeof APIS)[number]

/** Clients that send one request after the other, each over a connection of its own, all at the same time. */
export interface Lane {
  readonly name: string
  readonly task: 'embed' | 'rerank'
  /** The texts, or the documents. */
  readonly texts: TextKind
  readonly textsPerRequest: number
  readonly connections: number
  /** From an answer to the next request of the same connection. */
  readonly pauseMs?: number
  readonly until: Until
}

/** So many requests of all its connections together; so long; or as long as another lane has requests. */
export type Until = { readonly requests: number } | { readonly seconds: number } | { readonly lane: string }

export interface LoadAsk {
  /** Address without a path. */
  readonly url: string
  readonly api: Api
  /** Names that the server goes by. */
  readonly models: { readonly embed: string; readonly rerank: string }
  /** Lanes run at the same time. */
  readonly lanes: readonly Lane[]
  /** Of the texts: the same seed sends the same bytes. */
  readonly seed: number
}

export interface LaneReply {
  readonly name: string
  /** Answered with 200. */
  readonly requests: number
  readonly texts: number
  /** Of the answered texts, special tokens included. */
  readonly tokens: number
  readonly failed: number
  /** Status and start of the first answer that was not 200, or what broke the connection. */
  readonly failure?: string
  /** From the lane's first request to its last answer. */
  readonly seconds: number
  /** Of each answered request, from sending it to the last byte of its answer. */
  readonly latenciesMs: readonly number[]
}

export interface LoadReply {
  readonly lanes: readonly LaneReply[]
  readonly seconds: number
  /** What this process itself used of the processor meanwhile. */
  readonly cpuSeconds: number
}
