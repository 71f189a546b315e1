/** What the engine knows of a device: ragged rows in, one line of numbers a row out. */

/** Attention may be padded to the longest row of a batch; this many times the token budget bounds what that can waste. */
export const PADDING_FACTOR = 2

/** What is read in place of token ids. Shared memory: no thread copies it for another, and a row can be run again. */
export interface Media {
  readonly modality: 'image' | 'audio'
  /** [N, Q], a line for each of the row's tokens, or a sound's features as the graph reads them. */
  readonly values: Float32Array<SharedArrayBuffer>
  /** [N, G]: how much of each place of the learned grid every token gets, of graphs that ask. */
  readonly places?: Float32Array<SharedArrayBuffer> | undefined
}

/** Media of all rows of a batch, one after the other. */
export interface BatchMedia {
  readonly modality: Media['modality']
  readonly values: readonly Float32Array<SharedArrayBuffer>[]
  /** Of every row, or of none. */
  readonly places?: readonly Float32Array<SharedArrayBuffer>[] | undefined
}

export interface RaggedBatch {
  /** Token ids of all rows, one after the other: [T]; a 0 for each token of media. */
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
  /** Undefined: the rows are texts. A batch holds rows of one modality only. */
  readonly media?: BatchMedia | undefined
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

/** What of a tower a row must keep to. */
export interface TowerLimits {
  /** Tokens that a row may have. */
  readonly maxTokens: number
}

/** The towers that are loaded beside the text side. */
export interface RunnerTowers {
  readonly image?: TowerLimits | undefined
  readonly audio?: TowerLimits | undefined
}

export interface Runner {
  /** Of the text side; of a model without one, of its first tower: rows of all sides are of one width. */
  readonly limits: RunnerLimits
  readonly towers: RunnerTowers
  readonly provider: string
  /** What activations are computed in. */
  readonly dtype: string
  /** Batches that should be under way at once so that the device never waits. */
  readonly depth: number
  /** Tokens of a batch where nobody says otherwise. */
  readonly batchTokens: number
  /** Where batches take long: tokens of one that those may fill up who are in no hurry; undefined: all of them. */
  readonly sharedTokens?: number | undefined
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
  /** Undefined: it is a text. Else `ids` has a 0 for each of its tokens, so that all that counts tokens works. */
  readonly media?: Media | undefined
}

/** Rows are of one modality. */
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
    media: joinMedia(rows),
  }
}

/** Which side of a model reads a row. */
export function modalityOf({ media }: Pick<RaggedRow, 'media'>): 'text' | Media['modality'] {
  return media?.modality ?? 'text'
}

function joinMedia(rows: readonly RaggedRow[]): BatchMedia | undefined {
  const modality = rows[0]?.media?.modality
  if (modality === undefined) return undefined
  const media = rows.flatMap((row) => row.media ?? [])
  const places = media.flatMap((one) => one.places ?? [])
  return {
    modality,
    values: media.map(({ values }) => values),
    places: places.length > 0 ? places : undefined,
  }
}
