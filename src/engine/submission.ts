/** A request to a lane, and its answer. */
import type { CallOptions, Timing } from '../task.ts'
import type { FedRows } from './feed-rows.ts'
import type { KeepTokens } from './pending-request.ts'

export interface Submission {
  /** What errors call an item. */
  readonly noun: string
  /** Characters of each item: what is tokenized at a time is bounded by them. */
  readonly sizes: readonly number[]
  /** Of each item its tokens at most, where they are known before it is read; none unless told. */
  readonly knownTokens?: readonly (number | undefined)[] | undefined
  /** What tells the items apart: equal ones become the same row. Unless told no two are known to. */
  readonly texts?: readonly string[] | undefined
  /** Rows of items `from` to `to`; called with ascending ranges, one at a time. */
  readonly tokenize: (from: number, to: number) => Promise<FedRows>
  /** Nothing runs before every item is tokenized: where a later one may still be refused. */
  readonly tokenizeFirst: boolean
  /** The vectors of all tokens come back too. */
  readonly wantsTokens: boolean
  /** Index of the model's adapter that the texts go through; none unless told. */
  readonly adapter?: number
  /** As a pending request's. */
  readonly keepTokens?: KeepTokens
  /** Rows that may wait ready before more are made; `READY_ROWS` unless told. */
  readonly readyRows?: number
  /** Told of each item whose result is in. */
  readonly onDelivered?: (index: number) => void
  readonly options: CallOptions
}

export interface LaneResult {
  /** [items, outputWidth] */
  readonly rows: Float32Array
  /** Of each item [its tokens, tokenWidth], where they were wanted. */
  readonly tokens?: readonly Float32Array[] | undefined
  readonly textTokens: number
  readonly truncatedItems: number
  readonly timing: Timing
}
