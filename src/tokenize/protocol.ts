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
  /** Rows whose texts did not fit whole. */
  readonly truncatedRows: number
}

/** One row: all chunks of a document, read as a whole. */
export interface TokenizedChunks extends TokenizedRows {
  /** Index within the row at which each chunk begins, and the one at which the last ends: [N + 1] */
  readonly chunkBounds: Int32Array<ArrayBuffer>
}

export interface RowOptions {
  /** What an error calls an item (text, document), and the number of the first one. */
  readonly noun: string
  readonly firstIndex: number
  /** `none`: a row that is too long is an error. */
  readonly truncate: TruncationSide | 'none'
  /** Tokens of one row that the model takes, special tokens included. */
  readonly maxTokens: number
  /** What the client asked for, counted in the same way; the lower of both holds. */
  readonly clientMaxTokens?: number | undefined
  /** Of pairs: what a side may have by itself. */
  readonly sides?: { readonly first: SideLimit; readonly second: SideLimit } | undefined
  /** Of pairs that a prompt asks about: what stands in place of the prompt's own instruction. */
  readonly instruction?: string | undefined
  /** Of single texts: what one may have by itself, without special tokens. */
  readonly side?: SideLimit | undefined
  /** Of single texts: shorter rows are filled up with this token to so many. */
  readonly fill?: { readonly id: number; readonly tokens: number } | undefined
  /** Of single texts: without the special tokens that the template adds; one that has no token at all is read too. */
  readonly isBare?: boolean | undefined
  /** Ids must be below this. */
  readonly vocabularySize: number
}

export interface SideLimit {
  /** What an error calls the side. */
  readonly name: string
  /** Its own tokens: the side is cut to them before both are made to fit. */
  readonly maxTokens: number | undefined
}

/** A rerank query, tokenized once for all its documents: see `EncodedText`. */
export interface TokenizedQuery {
  readonly ids: Int32Array<ArrayBuffer>
  readonly length: number
  readonly exact: boolean
}

/** The first side of pairs: a query that all share, as ids or as the one text of a list, or a text for each. */
export type PairFirsts = TokenizedQuery | readonly string[]

export interface Prompt {
  readonly text: string
  /** False: pooling leaves its tokens out. */
  readonly pooled: boolean
}

export interface TokenizeOptions {
  /** Read as one with each text, as `texts` reads it: places are counted from its beginning. */
  readonly prompt: Prompt
  readonly addSpecialTokens: boolean
  /** Looked at between the portions that cross to the thread. */
  readonly signal?: AbortSignal | undefined
}

/** What a call to decode lists is told besides. */
export interface DecodeCall {
  /** What errors call each list; undefined: by number. */
  readonly names?: readonly string[] | undefined
  /** Looked at between the portions that cross to the thread. */
  readonly signal?: AbortSignal | undefined
}

export interface DecodeOptions extends DecodeCall {
  readonly skipSpecialTokens: boolean
}

/** Tokens of texts, column by column. */
export interface TokenColumns {
  readonly ids: Int32Array<ArrayBuffer>
  /** Tokens of each text: [N + 1] */
  readonly bounds: Int32Array<ArrayBuffer>
  /** In Unicode characters; both -1 for a token that the template adds. */
  readonly starts: Int32Array<ArrayBuffer>
  readonly stops: Int32Array<ArrayBuffer>
  /** Of the tokens that the template adds. */
  readonly names: ReadonlyMap<number, string>
}

/** Lists of ids as a client wrote them, in one buffer that can move to a thread. */
export interface IdLists {
  /** Any numbers, for only the thread knows which of them are ids. */
  readonly ids: Float64Array<ArrayBuffer>
  /** [N + 1] */
  readonly bounds: Int32Array<ArrayBuffer>
  /** What errors call each: [N] */
  readonly names: readonly string[]
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
  chunks: {
    ask: { tokenizer: number; texts: readonly string[]; prompt: Prompt; options: RowOptions }
    reply: TokenizedChunks
  }
  tokenize: {
    ask: { tokenizer: number; texts: readonly string[]; addSpecialTokens: boolean }
    reply: TokenColumns
  }
  decode: {
    ask: { tokenizer: number; lists: IdLists; skipSpecialTokens: boolean }
    reply: { texts: readonly string[] }
  }
}

export interface Cl100kCalls {
  decode: { ask: { lists: IdLists }; reply: { texts: readonly string[] } }
}
