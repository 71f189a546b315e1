/**
 * A model's body as data: sizes, and the names that a family's checkpoints give to each part. Letters as in `ir.ts`;
 * I is the width between the two projections of a feed-forward step.
 */
import type { HiddenActivation } from './activation.ts'

export type EncoderPlan = PostNormPlan | PreNormPlan
/** Of a body whose embeddings are made elsewhere. */
export type LayersPlan = PostNormLayers | PreNormLayers

export type PostNormPlan = PostNormLayers & BodyPlan
export type PreNormPlan = PreNormLayers & BodyPlan

interface BodyPlan {
  readonly vocabularySize: number
  /** Tokens that a row may have. */
  readonly maxTokens: number
  readonly embeddings: EmbeddingsPlan
  /** Given, `lasttoken` is the first of this token in place of a row's last one; `greatest`: of the greatest id in the row. */
  readonly endId?: number | 'greatest'
  /** Given, the weights of words, types and projections may have an adapter for each task beside them. */
  readonly adapters?: AdaptersPlan
}

/** For the tokens of a task, y + scale · up · down · x in place of a weight's y, `down` and `up` being the task's own (LoRA). */
export interface AdaptersPlan {
  /** Tasks. */
  readonly count: number
  /** Rows of `down`, columns of `up`: a few. */
  readonly rank: number
  readonly scale: number
  /** Given, all tokens are of this task, whatever a row says. */
  readonly always?: number
}

/** Of each step: x = norm(x + step(x)) */
export interface PostNormLayers {
  readonly order: 'post'
  /** H */
  readonly hiddenSize: number
  /** In order; a checkpoint whose layers share weights names the same tensors again. */
  readonly layers: readonly PostNormLayer[]
  /** What the first layer gives becomes norm(it + activation(convolution(embeddings))). */
  readonly convolution?: ConvolutionPlan
}

/** Of each step: x = x + outputScale · outputNorm(step(norm(x))) */
export interface PreNormLayers {
  readonly order: 'pre'
  /** H */
  readonly hiddenSize: number
  /** As above. */
  readonly layers: readonly PreNormLayer[]
  /** The first layer reads what the embeddings give as it is: no norm before its attention is asked for. */
  readonly isNormedAtFirst?: true
  /** After the last layer. */
  readonly finalNorm: NormPlan
  /** Of these rows alone the last layer tells what it makes: its others are read by nobody. */
  readonly keptRows?: 'first_rows'
}

/** y = x · weightᵀ + bias, of the tensors `name`.weight [out, in] and `name`.bias [out]. */
export interface LinearPlan {
  readonly name: string
  readonly bias: boolean
  /** One of several blocks of rows, all of the same size, that a checkpoint keeps in one tensor: [index, count]. */
  readonly part?: readonly [index: number, count: number]
  /** The name stands without the body's prefix. */
  readonly root?: boolean
  /** What transformers calls the layer, and adapters in files of their own with it, where that is not `name`; a part has its own. */
  readonly adaptedAs?: string
}

export interface NormPlan {
  readonly name: string
  /** `layer`: mean and variance; `rms`: the root of the mean square alone, without bias. */
  readonly kind: 'layer' | 'rms'
  readonly epsilon: number
  readonly bias: boolean
  /** The checkpoint stores the weight less one. */
  readonly plusOne?: boolean
  /** The name stands without the body's prefix. */
  readonly root?: boolean
}

export interface TablePlan {
  readonly name: string
  readonly rows: number
}

export interface PositionsPlan extends TablePlan {
  /** Rows of the table that no token uses. */
  readonly skip: number
  /** Tokens of this id take the first row of the rest, and the others count as if they were not there (fairseq). */
  readonly padId?: number
}

/** outputNorm(projection(norm(words · scale + types + positions))), each part where there is one. */
export interface EmbeddingsPlan {
  readonly words: string
  /** Where checkpoints may keep them instead. */
  readonly otherWords?: string
  /** Width of the tables where it is not H. */
  readonly width?: number
  /** Ids may share rows of the words' table: the row of each, and how many there are. */
  readonly sharedRows?: { readonly rowOf: Int32Array<ArrayBuffer>; readonly rows: number }
  /** A factor for each id's vector. */
  readonly weights?: Float32Array<ArrayBuffer>
  /** Factor of the word vectors. */
  readonly scale?: number
  readonly types?: TablePlan
  readonly positions?: PositionsPlan
  readonly norm?: NormPlan
  readonly projection?: LinearPlan
  readonly outputNorm?: NormPlan
}

/** Over the tokens of a row, of an odd number of them each time; beyond its ends stand zeros. */
export interface ConvolutionPlan {
  /** Of `name`.weight [H, H, size] and `name`.bias [H]. */
  readonly name: string
  readonly size: number
  readonly activation: HiddenActivation
  readonly norm: NormPlan
}

export interface LayerPlan {
  readonly attention: AttentionPlan
  readonly feedForward: FeedForwardPlan | ExpertsPlan
}

export interface PostNormLayer extends LayerPlan {
  readonly norms: PostNorms
}

export interface PreNormLayer extends LayerPlan {
  readonly norms: PreNorms
}

interface PostNorms {
  readonly attention: NormPlan
  /** Given, what comes out of the attention's norm is added to x and normalized once more. */
  readonly attentionAgain?: NormPlan
  readonly feedForward: NormPlan
}

export interface PreNorms {
  readonly attention: NormPlan
  readonly feedForward: NormPlan
  readonly attentionOutput?: NormPlan
  readonly feedForwardOutput?: NormPlan
  /** Names of tensors [H]: a factor of each number that comes out of the step. */
  readonly attentionScale?: string
  readonly feedForwardScale?: string
}

export interface AttentionPlan {
  readonly query: LinearPlan
  readonly key: LinearPlan
  readonly value: LinearPlan
  readonly output: LinearPlan
  /** N */
  readonly heads: number
  /** Heads of key and value: each serves heads / keyHeads query heads in turn. */
  readonly keyHeads: number
  /** D */
  readonly headWidth: number
  /** Factor of the scores; 1 / √D where it is left out. */
  readonly scale?: number
  /** A token sees only those before it, and itself. */
  readonly causal: boolean
  /** A token sees only those at most this far away. */
  readonly window?: number
  readonly rotary?: RotaryPlan
  readonly queryNorm?: HeadNormPlan
  readonly keyNorm?: HeadNormPlan
  /** What is added to the scores. */
  readonly bias?: BiasPlan
}

/** Before the rotation: over each head alone, or over all of them together. */
export type HeadNormPlan = NormPlan & { readonly over: 'head' | 'all' }

/** Rotary position embeddings in two halves: numbers j and j + D/2 turn by the angle position · frequencies[j]. */
export interface RotaryPlan {
  /** D / 2 numbers. */
  readonly frequencies: readonly number[]
  /** Factor of sine and cosine (YaRN); 1 where it is left out. */
  readonly magnitude?: number
}

export type BiasPlan =
  /** −slope · |i − j|, a slope for each head. */
  | { readonly kind: 'alibi'; readonly slopes: readonly number[] }
  /** A learned number for each head and each bucket of distances. */
  | (BucketsPlan & {
      readonly kind: 'relative'
      /** [buckets, N] */
      readonly table: TablePlan
    })
  | DisentangledPlan

export interface BucketsPlan {
  /** Bucket of a key that stands `distance` tokens after the query. */
  readonly bucketOf: (distance: number) => number
  /** Farther ones fall into the same bucket as this far. */
  readonly maxDistance: number
}

/**
 * Products with vectors of distances r (He et al. 2021): query · key(r) + key · query(r), each where it is given, times the
 * factor of the scores.
 */
export interface DisentangledPlan extends BucketsPlan {
  readonly kind: 'disentangled'
  /** [buckets, H] */
  readonly table: TablePlan
  /** Of the table's rows. */
  readonly norm?: NormPlan
  /** H to N·D, of the table's rows. */
  readonly key?: LinearPlan
  readonly query?: LinearPlan
}

export type FeedForwardPlan =
  /** down(activation(up(x))) */
  | {
      readonly kind: 'plain'
      readonly up: LinearPlan
      readonly down: LinearPlan
      /** I */
      readonly width: number
      readonly activation: HiddenActivation
    }
  /** down(activation(gate(x)) · up(x)) */
  | {
      readonly kind: 'gated'
      readonly gate: LinearPlan
      readonly up: LinearPlan
      readonly down: LinearPlan
      readonly width: number
      readonly activation: HiddenActivation
    }

/** Σ share · down(activation(up(x))) + bias over the experts that a router chooses for each token; it gives the shares. */
export interface ExpertsPlan {
  readonly kind: 'experts'
  /** H to E; the shares are its softmax, not made to sum up to one again. */
  readonly router: LinearPlan
  /** E */
  readonly experts: number
  /** Of each token. */
  readonly chosen: number
  /** Whole names of the tensors [E·I, H] of `up` and `down`, the rows of an expert behind those of another. */
  readonly up: string
  readonly down: string
  /** Whole name of a tensor [H]. */
  readonly bias: string
  /** I */
  readonly width: number
  readonly activation: HiddenActivation
}
