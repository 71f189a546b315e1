/** The vocabulary that dialects and engine share. */

export type Truncation = 'left' | 'right' | 'none'

export interface EmbedTask {
  readonly kind: 'embed'
  /** A served name; undefined: the sole model that embeds. */
  readonly model: string | undefined
  readonly texts: readonly string[]
  /** One of the model's own prompts; undefined: its default prompt, if it has one. */
  readonly promptName?: string | undefined
  /** Numbers to keep of each vector; undefined: all. */
  readonly dimensions?: number | undefined
  /** undefined: cut long texts where the model's files say. */
  readonly truncate?: Truncation | undefined
}

export interface RerankTask {
  readonly kind: 'rerank'
  readonly model: string | undefined
  readonly query: string
  readonly documents: readonly string[]
  readonly truncate?: Truncation | undefined
}

export interface ClassifyTask {
  readonly kind: 'classify'
  readonly model: string | undefined
  readonly texts: readonly string[]
  /** The second text of each, where the model judges pairs. */
  readonly pairs?: readonly string[] | undefined
  readonly truncate?: Truncation | undefined
}

export interface ResultFacts {
  /** Name under which the model is served. */
  readonly model: string
  /** Tokens of the texts, without the special tokens that the template adds. */
  readonly promptTokens: number
  /** Milliseconds that the device worked on batches that held this request. */
  readonly runMs: number
}

export interface EmbedResult extends ResultFacts {
  readonly dimensions: number
  /** [N, dimensions], in the order of the texts. */
  readonly vectors: Float32Array
}

export interface RerankResult extends ResultFacts {
  /** One for each document, in their order. */
  readonly scores: Float32Array
  /** Before the activation. */
  readonly logits: Float32Array
}

export interface ClassifyResult extends ResultFacts {
  readonly labels: readonly string[]
  /** [N, labels] */
  readonly scores: Float32Array
  /** [N, labels], before the activation. */
  readonly logits: Float32Array
}

export type Capability = 'embed' | 'rerank' | 'classify'

export interface ModelInfo {
  readonly id: string
  readonly aliases: readonly string[]
  readonly capabilities: readonly Capability[]
  /** Numbers of a vector; undefined for a classifier. */
  readonly dimensions: number | undefined
  readonly maxTokens: number
  readonly dtype: string
  readonly dtypeRequested: string
  readonly provider: string
  readonly batchSize: number
  /** Unix seconds at which it was ready. */
  readonly readyAt: number
  readonly stats: ModelStats
  /** False: its threads died and could not be started again. */
  readonly healthy: boolean
}

export interface ModelStats {
  /** Admitted items that no batch holds yet. */
  readonly queuedItems: number
  /** Requests that wait for room in the queue; while there is one, no more work should be fetched. */
  readonly heldRequests: number
  /** Tokens of the queued items, as far as they are tokenized. */
  readonly waitingTokens: number
  readonly runningBatches: number
}

export interface CallOptions {
  /** Aborted: the request leaves the queue; what runs is let run and its rows dropped. */
  readonly signal?: AbortSignal | undefined
  /** A request that finds the queue full is refused with `overloaded`, or waits for room; `refuse` unless told. */
  readonly whenFull?: 'refuse' | 'wait' | undefined
  /** Told after every item. */
  readonly onProgress?: ((doneItems: number, items: number) => void) | undefined
}

/** What a dialect may ask for. Everything throws `ServerError`. */
export interface Service {
  readonly embed: (task: EmbedTask, options?: CallOptions) => Promise<EmbedResult>
  readonly rerank: (task: RerankTask, options?: CallOptions) => Promise<RerankResult>
  readonly classify: (task: ClassifyTask, options?: CallOptions) => Promise<ClassifyResult>
  readonly models: () => readonly ModelInfo[]
}
