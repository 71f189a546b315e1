import type { TokenizerSpec, TruncationSide } from '../model/spec.ts'

/** Rows ready to run, and what they count for. */
export interface TokenizedRows {
  /** Ids of all rows, special tokens included, one row after the other: [T] */
  readonly ids: Int32Array<ArrayBuffer>
  /** [B + 1] */
  readonly bounds: Int32Array<ArrayBuffer>
  /** Index within each row from which token types are 1; the row's length where none is: [B] */
  readonly typeStarts: Int32Array<ArrayBuffer>
  /** Tokens at the start of each row that pooling leaves out: [B] */
  readonly unpooledTokens: Int32Array<ArrayBuffer>
  /** Tokens of all texts, without the special tokens that the template adds. */
  readonly textTokens: number
}

export interface RowOptions {
  /** What an error calls an item (text, document), and the number of the first one. */
  readonly noun: string
  readonly firstIndex: number
  /** `none`: a row that is too long is an error. */
  readonly truncate: TruncationSide | 'none'
  /** Tokens of one row, special tokens included. */
  readonly maxTokens: number
  /** Ids must be below this. */
  readonly vocabularySize: number
}

/** A rerank query, tokenized once for all its documents: see `EncodedText`. */
export interface TokenizedQuery {
  readonly ids: Int32Array<ArrayBuffer>
  readonly length: number
  readonly exact: boolean
}

/** The first side of pairs: a query that all share, or a text for each. */
export type PairFirsts = TokenizedQuery | readonly string[]

export interface Prompt {
  readonly text: string
  /** False: pooling leaves its tokens out. */
  readonly pooled: boolean
}

export interface TokenizeCalls {
  open: { ask: { tokenizer: number; spec: TokenizerSpec }; reply: { joinsPairs: boolean } }
  texts: {
    ask: { tokenizer: number; texts: readonly string[]; prompt: Prompt; options: RowOptions }
    reply: TokenizedRows
  }
  query: { ask: { tokenizer: number; text: string; options: RowOptions }; reply: TokenizedQuery }
  pairs: {
    ask: { tokenizer: number; first: PairFirsts; second: readonly string[]; options: RowOptions }
    reply: TokenizedRows
  }
}
