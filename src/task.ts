/** The vocabulary that dialects and engine share. */
import type { Capability, ModelInfo } from './model-info.ts'

export type { Capability, ModelInfo, ModelStats } from './model-info.ts'

export type Truncation = 'left' | 'right' | 'none'

/** What a model reads: texts, pictures, sounds. */
export type Modality = 'text' | 'image' | 'audio'

/** What stands before each text, one of the model's own prompts or the client's own words; and what the texts are for. */
export type PromptChoice = (
  | { readonly text: string }
  /** Names mean what clients mean by them (`search_query` is `query`); unknown, it is an error or is left out. */
  | { readonly name: string; readonly ifUnknown: 'refuse' | 'ignore' }
) & {
  /** What the texts are for, where it is said besides; else the name says it. */
  readonly task?: string
}

interface ModelTask {
  /** A served name; undefined: the sole model that can do it. */
  readonly model: string | undefined
}

interface TextTask extends ModelTask {
  /** undefined: the model's default prompt, if it has one. */
  readonly prompt?: PromptChoice | undefined
  /** undefined: cut long texts where the model's files say. */
  readonly truncate?: Truncation | undefined
  /** Tokens of one row, special tokens included, where the client wants fewer than the model takes. */
  readonly maxTokens?: number | undefined
}

export interface EmbedTask extends TextTask {
  readonly kind: 'embed'
  readonly texts: readonly string[]
  /** Numbers to keep of each vector; undefined: all. */
  readonly dimensions?: number | undefined
  /** Unit length or as pooled; undefined: as the model's files say. */
  readonly normalize?: boolean | undefined
  /** The texts are chunks of one document: it is read as a whole, and each chunk's tokens are pooled by themselves. */
  readonly lateChunking?: boolean | undefined
}

/** A picture or a sound of a request. */
export interface MediaItem {
  readonly modality: 'image' | 'audio'
  /** The client's place for it, for errors: `input[3]`. */
  readonly name: string
  readonly source: { readonly url: string } | { readonly bytes: Uint8Array }
}

/** Texts, pictures and sounds, in any order, whose vectors are of one space. */
export interface EmbedMediaTask extends TextTask {
  readonly kind: 'embed_media'
  /** Prompt, truncation and token limit are for the texts among them. */
  readonly items: readonly (string | MediaItem)[]
  /** As of `EmbedTask`. */
  readonly dimensions?: number | undefined
  readonly normalize?: boolean | undefined
}

/** Every token's vector, before pooling. */
export interface EmbedTokensTask extends TextTask {
  readonly kind: 'embed_tokens'
  readonly texts: readonly string[]
}

/** The vectors of tokens by which a text is compared: `prompt` says whether it is a query; it is a document unless told. */
export interface EmbedMultiTask extends TextTask {
  readonly kind: 'embed_multi'
  readonly texts: readonly string[]
  /** Numbers to keep of each vector; undefined: all. */
  readonly dimensions?: number | undefined
  /** Unit length; undefined: as the model's files say. */
  readonly normalize?: boolean | undefined
}

/** A weight for each token of the vocabulary; most are 0. */
export interface EmbedSparseTask extends TextTask {
  readonly kind: 'embed_sparse'
  readonly texts: readonly string[]
}

export interface RerankTask extends TextTask {
  readonly kind: 'rerank'
  /** One for all documents, or one for each. */
  readonly query: string | readonly string[]
  readonly documents: readonly string[]
  /**
   * What the documents are judged by, in words: takes the place of the instruction of a model that is asked, and stands before
   * the query of any other. With it there is no prompt besides.
   */
  readonly instruction?: string | undefined
  /** Tokens to keep of a query, and of a document; undefined: what fits. */
  readonly maxQueryTokens?: number | undefined
  readonly maxDocumentTokens?: number | undefined
}

export interface ClassifyTask extends TextTask {
  readonly kind: 'classify'
  readonly texts: readonly string[]
  /** The second text of each, where the model judges pairs. */
  readonly pairs?: readonly string[] | undefined
}

export interface TokenizeTask extends ModelTask {
  readonly kind: 'tokenize'
  readonly texts: readonly string[]
  /** With the special tokens that the model's template adds. */
  readonly addSpecialTokens: boolean
  readonly prompt?: PromptChoice | undefined
}

export interface DecodeTask extends ModelTask {
  readonly kind: 'decode'
  readonly ids: readonly (readonly number[])[]
  /** `client`: whatever TOKEN_INPUT says that clients' integers are. */
  readonly vocabulary: 'model' | 'cl100k' | 'client'
  /** How the client calls each list, for errors; undefined: by number. */
  readonly names?: readonly string[] | undefined
  /** Where no model is named, that of this capability is meant; undefined: whatever model there is. */
  readonly purpose?: Capability | 'embed_tokens' | undefined
  readonly skipSpecialTokens: boolean
}

export type Task =
  | EmbedTask
  | EmbedMediaTask
  | EmbedTokensTask
  | EmbedMultiTask
  | EmbedSparseTask
  | RerankTask
  | ClassifyTask
  | TokenizeTask
  | DecodeTask

export interface ResultFacts {
  /** Name under which the model is served. */
  readonly model: string
  /**
   * Tokens of the texts, without the special tokens that the template adds; of pictures their patches, of sounds their
   * seconds, rounded up.
   */
  readonly promptTokens: number
  /** Texts, or pairs, that did not fit and were cut. */
  readonly truncatedItems: number
  /** A prompt that was named and that the model does not have. */
  readonly ignoredPrompt?: string | undefined
  readonly timing: Timing
}

/** Milliseconds of a request. They do not add up to the whole: its parts overlap. */
export interface Timing {
  /** Waiting for the tokenizer, or for pictures and sounds to be fetched and read. */
  readonly tokenizeMs: number
  /** Rows were waiting, and none of them was running. */
  readonly queueMs: number
  /** The device worked on batches that held this request. */
  readonly runMs: number
}

export interface EmbedResult extends ResultFacts {
  readonly dimensions: number
  /** [N, dimensions], in the order of the texts. */
  readonly vectors: Float32Array
}

export interface EmbedTokensResult extends ResultFacts {
  /** Numbers of a token. */
  readonly width: number
  /** For each text [tokens, width], special tokens included. */
  readonly tokens: readonly Float32Array[]
}

export interface EmbedMultiResult extends ResultFacts {
  readonly dimensions: number
  /** For each text [vectors, dimensions]: not every token needs have one. */
  readonly vectors: readonly Float32Array[]
}

export interface EmbedSparseResult extends ResultFacts {
  /** For each text index and weight in turn, by ascending index, of what is not 0. */
  readonly pairs: readonly Float32Array[]
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

export interface Token {
  readonly id: number
  /** The part of the text, or a special token's own name. */
  readonly text: string
  readonly special: boolean
  /** Of the text, in Unicode characters; null for a token that is none of its parts. */
  readonly start: number | null
  readonly stop: number | null
}

export interface TokenizeResult {
  readonly model: string
  /** For each text; nothing is cut. */
  readonly tokens: readonly (readonly Token[])[]
}

export interface DecodeResult {
  readonly texts: readonly string[]
}

/** Who comes first; nobody waits for ever. */
export type Priority = 'high' | 'normal' | 'low'

export interface CallOptions {
  /** Aborted: the request leaves the queue; what runs is let run and its rows dropped. */
  readonly signal?: AbortSignal | undefined
  /** A request that finds the queue full is refused with `overloaded`, or waits for room; `refuse` unless told. */
  readonly whenFull?: 'refuse' | 'wait' | undefined
  /** `normal` unless told. */
  readonly priority?: Priority | undefined
  /**
   * Milliseconds from now after which an answer is of no use: a request that would take longer, as far as that can be told, is
   * refused at once. One that does take longer is for the signal to end.
   */
  readonly withinMs?: number | undefined
  /** Told after every item. */
  readonly onProgress?: ((doneItems: number, items: number) => void) | undefined
}

/** What a dialect may ask for. Everything throws `ServerError`. */
export interface Service {
  readonly embed: (task: EmbedTask, options?: CallOptions) => Promise<EmbedResult>
  readonly embedMedia: (task: EmbedMediaTask, options?: CallOptions) => Promise<EmbedResult>
  readonly embedTokens: (task: EmbedTokensTask, options?: CallOptions) => Promise<EmbedTokensResult>
  readonly embedMulti: (task: EmbedMultiTask, options?: CallOptions) => Promise<EmbedMultiResult>
  readonly embedSparse: (task: EmbedSparseTask, options?: CallOptions) => Promise<EmbedSparseResult>
  readonly rerank: (task: RerankTask, options?: CallOptions) => Promise<RerankResult>
  readonly classify: (task: ClassifyTask, options?: CallOptions) => Promise<ClassifyResult>
  readonly tokenize: (task: TokenizeTask, options?: CallOptions) => Promise<TokenizeResult>
  readonly decode: (task: DecodeTask, options?: CallOptions) => Promise<DecodeResult>
  readonly models: () => readonly ModelInfo[]
  /** Bytes that a picture or a sound may have; undefined: as many as a request holds. */
  readonly mediaMaxBytes?: number | undefined
}
