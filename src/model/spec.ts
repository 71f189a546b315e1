/** What a model folder says, as plain data: it crosses to the inference thread as it is. */
import { ServerError } from '../errors.ts'
import type { ExportedModel } from './exported-spec.ts'
import type { PairPrompt } from './pair-prompt-spec.ts'
import type { AdapterParts } from './peft-spec.ts'
import type { AudioTower, ImageTower } from './tower-spec.ts'

export type { ChatPrompt, PairPrompt, PiecesPrompt } from './pair-prompt-spec.ts'
export type { AdapterParts, LowRank } from './peft-spec.ts'
export type { AudioProcessing, AudioTower, ImageProcessing, ImageTower } from './tower-spec.ts'

/** I8 and F8_E4M3 are codes, which mean something with their scales only. */
export type TensorDtype = 'F32' | 'F16' | 'BF16' | CodeDtype
export type CodeDtype = 'I8' | 'F8_E4M3'

export function isCode(dtype: TensorDtype): dtype is CodeDtype {
  return dtype === 'I8' || dtype === 'F8_E4M3'
}

/** Values of DTYPES: what a model shall be computed in. */
export type RequestedDtype = 'auto' | 'fp32' | 'fp16' | 'bf16' | 'int8' | 'fp8'

/** Where a tensor's bytes lie: row-major unless it has strides, little-endian, `byteOffset` counted from the start of `file`. */
export interface TensorRef {
  /** Absolute path with every symbolic link resolved. */
  readonly file: string
  readonly byteOffset: number
  /** Of its numbers, whatever lies between them. */
  readonly byteLength: number
  readonly dtype: TensorDtype
  readonly shape: readonly number[]
  /** From one number to the next along each axis, in numbers. */
  readonly strides?: readonly number[]
}

export type PoolingMode = 'cls' | 'max' | 'mean' | 'mean_sqrt_len_tokens' | 'weightedmean' | 'lasttoken'

export type Activation =
  | 'identity'
  | 'tanh'
  | 'sigmoid'
  | 'relu'
  | 'leaky_relu'
  | 'elu'
  | 'selu'
  | 'gelu'
  | 'silu'
  | 'mish'
  | 'softplus'
  | 'softmax'

/** activation(x · weightᵀ + bias) + residual */
export interface DenseStep {
  readonly kind: 'dense'
  /** [outFeatures, inFeatures] */
  readonly weight: TensorRef
  /** [outFeatures] */
  readonly bias: TensorRef | undefined
  readonly activation: Activation
  /** It is every token that goes through it, not what pooling makes of them. */
  readonly perToken?: true
  /** What is added: the input as it is, or through a matrix of its own [outFeatures, inFeatures]. */
  readonly residual?: 'input' | TensorRef
}

export interface NormalizeStep {
  readonly kind: 'normalize'
  readonly perToken?: true
}

/** Over the numbers of a vector, with PyTorch's own epsilon. */
export interface LayerNormStep {
  readonly kind: 'layer_norm'
  /** [D] */
  readonly weight: TensorRef
  /** [D] */
  readonly bias: TensorRef
}

/** Tokens become the weighted mean of what each layer makes of them. */
export interface LayersStep {
  readonly kind: 'layers'
  /** [count]: of the embeddings and the layers, without the first `start` of them. */
  readonly weights: TensorRef
  readonly start: number
}

export interface PoolingStep {
  readonly kind: 'pooling'
  /** Concatenated in this order. */
  readonly modes: readonly PoolingMode[]
  /** False: the tokens of the prompt take no part (INSTRUCTOR models). */
  readonly includePrompt: boolean
}

export type EmbeddingStep = PoolingStep | DenseStep | LayerNormStep | LayersStep | NormalizeStep

/** One of several pipelines behind the same Transformer. */
export interface Route {
  /** What the texts that go through it are for: `query`, `document`. */
  readonly tasks: readonly string[]
  readonly steps: readonly EmbeddingStep[]
}

/** A weight for each token of the vocabulary, out of a masked language model (SPLADE): most are 0. */
export interface SparseHead {
  readonly kind: 'sparse'
  /** Over the tokens of a text. */
  readonly pooling: 'max' | 'sum'
  /** How often log(1 + x) is taken of what is left above 0. */
  readonly logarithms: 1 | 2
  /** Numbers to keep of a vector, the greatest. */
  readonly maxActive?: number
  /** Texts whose tokens have fixed weights: no model is asked. */
  readonly fixed?: FixedWeights
}

/** Each token's weight: max(x · weightᵀ + bias, 0) of its hidden state; of a word that stands in several places the greatest. */
export interface LexicalHead {
  /** [1, H] */
  readonly weight: TensorRef
  /** [1] */
  readonly bias: TensorRef
  /** Tokens that are no words. */
  readonly skippedIds: readonly number[]
}

/** Vectors of a text's tokens, by which texts are compared token by token (ColBERT). */
export interface MultiVectorHead {
  readonly kind: 'multi_vector'
  /** What each token goes through. */
  readonly steps: readonly EmbeddingStep[]
  readonly rules: TokenRules
}

/** Which tokens' vectors stand for a text, and how two texts are compared by them. */
export interface TokenRules {
  readonly query: KindRules
  /** Of texts whose kind is unsaid too. */
  readonly document: KindRules
  /** What is asked of a query's vectors and the document's that is nearest to each: the sum of their products, or the mean. */
  readonly similarity: 'sum' | 'mean'
}

export interface KindRules {
  /** Tokens of a row, special tokens included, whatever the tokenizer's own limit is; undefined: that limit. */
  readonly maxTokens?: number
  /** Tokens at the beginning of a row that have no vector. */
  readonly skippedStart?: number
  /** Tokens that have no vector: they are read, and what comes out of them is dropped. */
  readonly skippedIds: readonly number[]
  /** The only ones that have; undefined: all. */
  readonly keptIds?: readonly number[]
  readonly expansion?: Expansion
}

/** What shorter rows are filled up with at their end. */
export interface Expansion {
  readonly id: number
  /** Tokens of a row that is filled up, special tokens included. */
  readonly tokens: number
  /** False: no token sees these tokens, and they see those of the text alone. */
  readonly attended: boolean
}

/** Of a dense model that gives vectors of tokens besides (bge-m3): weight · x + bias, normalized. */
export interface TokenHead {
  /** [D, H] */
  readonly weight: TensorRef
  /** [D] */
  readonly bias: TensorRef
  readonly rules: TokenRules
}

export interface FixedWeights {
  /** What such texts are for: `query`. */
  readonly tasks: readonly string[]
  /** What the texts are for that the model is asked for. */
  readonly otherTasks: readonly string[]
  /** Whether a text whose kind is unsaid is one. */
  readonly isDefault: boolean
  /** [V] */
  readonly weights: Float32Array
}

export type Head =
  | {
      readonly kind: 'embedding'
      /** Of texts whose kind is unsaid. */
      readonly steps: readonly EmbeddingStep[]
      /** Where texts of some kind have a pipeline of their own; the first is `steps`. */
      readonly routes?: readonly Route[]
      /** Of a model that weighs the words of a text besides (bge-m3). */
      readonly lexical?: LexicalHead
      /** Of a model whose tokens have vectors to be compared by besides (bge-m3). */
      readonly multiVector?: TokenHead
    }
  | SparseHead
  | MultiVectorHead
  | {
      readonly kind: 'classification'
      readonly labels: readonly string[]
      /** What turns logits into the scores that a client sees. */
      readonly activation: Activation
      /** Of a language model: the tokens whose logits are its one score. */
      readonly answers?: Answers
    }

/** score = (logit of `yes` − logit of `no`) / `divisor`, at the last token of a row */
export interface Answers {
  readonly yes: number
  /** Undefined: the logit of `yes` alone. */
  readonly no: number | undefined
  readonly divisor: number
}

export type TruncationSide = 'left' | 'right'

export interface TokenizerSpec {
  /** Absolute path of tokenizer.json, or of the vocabulary that a folder has instead. */
  readonly file: string
  /** What tokenizer.json would hold, where the folder has none. */
  readonly content?: string
  /** False: token types of pairs are not passed on to the model, whatever the tokenizer's template says. */
  readonly passesTypes?: boolean
  /** Texts stand by themselves, without special tokens; one that has no token at all is read too. */
  readonly isBare?: true
  /** What stands before texts, and begins with a token that the tokenizer shall find whole in a text, if it knows it. */
  readonly markers?: readonly string[]
  /** Rows are filled up with this token, and no token sees it: texts must end with another one. */
  readonly unseenId?: number
  /** Shorter texts are filled up with this token to so many tokens, and the model reads it as any other. */
  readonly fill?: { readonly id: number; readonly tokens: number }
  /** Ids must be below this, where config.json says so. */
  readonly vocabularySize?: number | undefined
  /** Tokens of one row, special tokens included; undefined where the folder names no limit. */
  readonly maxTokens: number | undefined
  readonly truncationSide: TruncationSide
  /** A Lowercase normalizer runs before the tokenizer's own. */
  readonly lowerCase: boolean
  /** Undefined: a pair is the two texts, joined as the tokenizer joins them. */
  readonly pairPrompt?: PairPrompt
}

export interface ModelSpec {
  /** What errors and logs call this model. */
  readonly name: string
  /** Of its text side; of a model that reads no text, of its tower. */
  readonly modelType: string
  /** config.json as it is, or the section of it for texts; a family reads its own settings from it. */
  readonly config: Readonly<Record<string, unknown>>
  /** None where the model is an exported one. */
  readonly tensors: Readonly<Record<string, TensorRef>>
  readonly exported?: ExportedModel
  /** Of its texts' vectors; without steps where it reads no text. */
  readonly head: Head
  /** Undefined: it reads no text. */
  readonly tokenizer: TokenizerSpec | undefined
  readonly image?: ImageTower
  readonly audio?: AudioTower
  readonly prompts: Readonly<Record<string, string>>
  readonly defaultPromptName: string | undefined
  /** Tasks for which its weights have adapters, in the order of these; a prompt of each task is among the prompts. */
  readonly adapters?: readonly string[]
  /** Of each of these what it changes, where they have files of their own and stand not beside the weights. */
  readonly adapterParts?: readonly AdapterParts[]
  /** Cut every vector to this many numbers unless a request asks otherwise. */
  readonly truncateDimensions: number | undefined
}

/** Of a model that reads texts. Throws `wrong_task` for another. */
export function tokenizerOf({ name, tokenizer }: ModelSpec): TokenizerSpec {
  if (tokenizer === undefined) throw new ServerError('wrong_task', `${name} reads no text`)
  return tokenizer
}
