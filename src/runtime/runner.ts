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
  readonly provider: string
  /** What activations are computed in. */
  readonly dtype: string
  /** Batches that should be under way at once so that the device never waits. */
  readonly depth: number
  /** Tokens of a batch where nobody says otherwise. */
  readonly batchTokens: number
  /** False once its thread died and could not be set up again; true again when a later call could. */
  readonly healthy: boolean
  /**
   * Runs one batch; its buffers are taken over. Throws `inference_failed` where the device refused the batch,
   * `thread_died` where the thread died over it, `revival_failed` where the model could not be loaded again.
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
  }
}
