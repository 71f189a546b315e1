/** What a model folder says, as plain data: it crosses to the inference thread as it is. */

export type TensorDtype = 'F32' | 'F16' | 'BF16' | 'I8'

/** Where a tensor's bytes lie: row-major, little-endian, `byteOffset` counted from the start of `file`. */
export interface TensorRef {
  /** Absolute path with every symbolic link resolved. */
  readonly file: string
  readonly byteOffset: number
  readonly byteLength: number
  readonly dtype: TensorDtype
  readonly shape: readonly number[]
}

export type PoolingMode = 'cls' | 'max' | 'mean' | 'mean_sqrt_len_tokens' | 'weightedmean' | 'lasttoken'

export type Activation = 'identity' | 'tanh' | 'sigmoid' | 'relu' | 'gelu' | 'softmax'

export interface DenseStep {
  readonly kind: 'dense'
  /** [outFeatures, inFeatures] */
  readonly weight: TensorRef
  /** [outFeatures] */
  readonly bias: TensorRef | undefined
  readonly activation: Activation
}

export interface PoolingStep {
  readonly kind: 'pooling'
  /** Concatenated in this order. */
  readonly modes: readonly PoolingMode[]
  /** False: the tokens of the prompt take no part (INSTRUCTOR models). */
  readonly includePrompt: boolean
}

export type EmbeddingStep = PoolingStep | DenseStep | { readonly kind: 'normalize' }

export type Head =
  | { readonly kind: 'embedding'; readonly steps: readonly EmbeddingStep[] }
  | {
      readonly kind: 'classification'
      readonly labels: readonly string[]
      /** What turns logits into the scores that a client sees. */
      readonly activation: Activation
    }

export type TruncationSide = 'left' | 'right'

export interface TokenizerSpec {
  /** Absolute path of tokenizer.json. */
  readonly file: string
  /** Tokens of one row, special tokens included; undefined where the folder names no limit. */
  readonly maxTokens: number | undefined
  readonly truncationSide: TruncationSide
  /** A Lowercase normalizer runs before the tokenizer's own. */
  readonly lowerCase: boolean
}

export interface ModelSpec {
  /** What errors and logs call this model. */
  readonly name: string
  readonly modelType: string
  /** config.json as it is; a family reads its own settings from it. */
  readonly config: Readonly<Record<string, unknown>>
  readonly tensors: Readonly<Record<string, TensorRef>>
  readonly head: Head
  readonly tokenizer: TokenizerSpec
  readonly prompts: Readonly<Record<string, string>>
  readonly defaultPromptName: string | undefined
  /** Cut every vector to this many numbers unless a request asks otherwise. */
  readonly truncateDimensions: number | undefined
}
