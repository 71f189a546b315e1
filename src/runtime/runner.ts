/** What the engine knows of a device: ragged rows in, one line of numbers a row out. */

/** Attention may be padded to the longest row of a batch; this many times the token budget bounds what that can waste. */
export const PADDING_FACTOR = 2

export interface RaggedBatch {
  /** Token ids of all rows, one after the other: [T]. */
  readonly ids: Int32Array<ArrayBuffer>
  /** Row b is ids[bounds[b] … bounds[b + 1]): [B + 1]. A row may be empty where the model averages tokens and nothing else. */
  readonly bounds: Int32Array<ArrayBuffer>
  /** Index within each row from which token types are 1; the row's length where none is: [B]. */
  readonly typeStarts: Int32Array<ArrayBuffer>
  /** Tokens at the start of each row that pooling leaves out: [B]. */
  readonly unpooledTokens: Int32Array<ArrayBuffer>
  /** Which of the model's adapters each row goes through, or NO_ADAPTER: [B]. */
  readonly adapters: Int32Array<ArrayBuffer>
  /** Whether the vectors of all tokens come back too. */
  readonly wantsTokens: boolean
}

/** A row that goes through the model as it is. */
export const NO_ADAPTER = -1

export interface RunResult {
  /** [B, outputWidth], row-major. */
  readonly rows: Float32Array<ArrayBuffer>
  /** [T, tokenWidth], the tokens of all rows one after the other; only where the batch wants them. */
  readonly tokens?: Float32Array<ArrayBuffer> | undefined
  /**
   * Where in `tokens` each row begins, and the last ends: [B + 1]. Of sparse models, whose rows are told there, by index and
   * value in turn; `rows` then has their counts.
   */
  readonly tokenBounds?: Int32Array<ArrayBuffer> | undefined
  /** Rows that hold a NaN or an infinity, in their numbers or in the vectors of their tokens. */
  readonly nonFiniteRows: readonly number[]
  readonly runMs: number
}

export interface RunnerLimits {
  /** Tokens that a row may have. */
  readonly maxTokens: number
  /** Ids must be below this. */
  readonly vocabularySize: number
  /** Numbers that come out for each row: one more than `vectorWidth` where the vector's length before normalization follows it. */
  readonly outputWidth: number
  /** Numbers of a row's vector, or of a classifier's scores and logits. */
  readonly vectorWidth: number
  /** Numbers of a token's vector; 0 where the model gives none. */
  readonly tokenWidth: number
}

export interface Runner {
  readonly limits: RunnerLimits
  readonly provider: string
  /** What activations are computed in. */
  readonly dtype: string
  /** Batches that should be under way at once so that the device never waits. */
  readonly depth: number
  /** Tokens of a batch where nobody says otherwise. */
  readonly batchTokens: number
  /**
   * False once its thread died and could not be set up again, until a later call could; and for good once its device was
   * lost.
   */
  readonly healthy: boolean
  /**
   * Runs one batch; its buffers are taken over. Throws `out_of_memory` where the device had no room for the batch,
   * `device_lost` where it takes no more work from this process, `inference_failed` where it refused the batch for another
   * reason; `thread_died` where the thread died over it, `revival_failed` where the model could not be loaded again.
   */
  readonly run: (batch: RaggedBatch) => Promise<RunResult>
  /** For good: what runs fails with `thread_died`. */
  readonly close: () => Promise<void>
}

/** What a batch needs to know of a row. */
export interface RaggedRow {
  readonly ids: Int32Array
  readonly typeStart: number
  readonly unpooledTokens: number
  /** Index of the adapter that it goes through, or NO_ADAPTER. */
  readonly adapter: number
  /** Whether the vectors of its tokens are asked for. */
  readonly wantsTokens: boolean
}

export function joinRows(rows: readonly RaggedRow[]): RaggedBatch {
  const bounds = new Int32Array(rows.length + 1)
  for (const [b, row] of rows.entries()) bounds[b + 1] = (bounds[b] as number) + row.ids.length
  const ids = new Int32Array(bounds[rows.length] as number)
  for (const [b, row] of rows.entries()) ids.set(row.ids, bounds[b])
  return {
    ids,
    bounds,
    typeStarts: Int32Array.from(rows, (row) => row.typeStart),
    unpooledTokens: Int32Array.from(rows, (row) => row.unpooledTokens),
    adapters: Int32Array.from(rows, (row) => row.adapter),
    wantsTokens: rows.some((row) => row.wantsTokens),
  }
}
