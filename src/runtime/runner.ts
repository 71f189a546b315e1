/** What the engine knows of a device: ragged rows in, one line of numbers a row out. */

export interface RaggedBatch {
  /** Token ids of all rows, one after the other: [T]. */
  readonly ids: Int32Array<ArrayBuffer>
  /** Row b is ids[bounds[b] … bounds[b + 1]): [B + 1]. No row is empty. */
  readonly bounds: Int32Array<ArrayBuffer>
  /** Index within each row from which token types are 1; the row's length where none is: [B]. */
  readonly typeStarts: Int32Array<ArrayBuffer>
  /** Tokens at the start of each row that pooling leaves out: [B]. */
  readonly unpooledTokens: Int32Array<ArrayBuffer>
}

export interface RunResult {
  /** [B, width], row-major. */
  readonly rows: Float32Array<ArrayBuffer>
  /** Rows that hold a NaN or an infinity. */
  readonly nonFiniteRows: readonly number[]
  readonly runMs: number
}

export interface RunnerLimits {
  /** Tokens that a row may have. */
  readonly maxTokens: number
  /** Ids must be below this. */
  readonly vocabularySize: number
  /** Numbers that come out for each row. */
  readonly outputWidth: number
}

export interface Runner {
  readonly limits: RunnerLimits
  /** Batches that should be under way at once so that the device never waits. */
  readonly depth: number
  /**
   * Runs one batch; its buffers are taken over. Throws `inference_failed` where the device refused the batch, and
   * `thread_died` where the thread that held it is gone: the next run finds a new one.
   */
  readonly run: (batch: RaggedBatch) => Promise<RunResult>
  readonly close: () => Promise<void>
}
