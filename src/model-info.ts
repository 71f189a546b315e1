/** What is told of a served model: a part of `task.ts`. */

export type Capability =
  | 'embed'
  | 'image_embed'
  | 'audio_embed'
  | 'embed_sparse'
  | 'multi_vector'
  | 'rerank'
  | 'classify'

export interface ModelInfo {
  readonly id: string
  readonly aliases: readonly string[]
  readonly capabilities: readonly Capability[]
  /** Numbers of a vector, of a text or else of a token; undefined for a classifier. */
  readonly dimensions: number | undefined
  /** How token vectors become one; undefined where they do not, and for a classifier. */
  readonly pooling: string | undefined
  /** Of a classifier, else empty. */
  readonly labels: readonly string[]
  /** Names of its prompts. */
  readonly prompts: readonly string[]
  /** Tasks for which it has adapters. */
  readonly adapters: readonly string[]
  readonly maxTokens: number
  readonly dtype: string
  readonly dtypeRequested: string
  readonly provider: string
  readonly batchSize: number
  readonly maxBatchTokens: number
  /** Items that may wait. */
  readonly queueSize: number
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
