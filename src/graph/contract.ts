/**
 * What a graph and the runtime agree on: the inputs that a graph may ask for, each filled from a ragged batch.
 * A graph lists the roles it uses; `runtime/feeds.ts` fills exactly those.
 */
import type { Dtype, Shape } from './ir.ts'

export const INPUTS = {
  /** Token ids of all rows, one after the other. */
  ids: { dtype: 'i32', shape: ['T'] },
  /** 0 for the first text of a row, 1 for the second text of a pair, as the tokenizer's template says. */
  types: { dtype: 'i32', shape: ['T'] },
  /** Index of a token within its row. */
  positions: { dtype: 'i32', shape: ['T'] },
  /** Packed index of token s of row b; past the end of a row its first token again, so that a maximum ignores padding. */
  padded_rows: { dtype: 'i32', shape: ['B', 'S'] },
  /** Index of each packed token in the flattened [B*S] layout. */
  packed_rows: { dtype: 'i32', shape: ['T'] },
  /** Tokens of each row, minus one: what GroupQueryAttention calls seqlens_k. */
  last_positions: { dtype: 'i32', shape: ['B'] },
  /** S itself. */
  max_length: { dtype: 'i32', shape: [] },
  /** Packed index of each row's first pooled token. */
  first_rows: { dtype: 'i32', shape: ['B'] },
  /** Packed index of each row's last token. */
  last_rows: { dtype: 'i32', shape: ['B'] },
  /** As padded_rows, over the pooled tokens only. */
  pooled_rows: { dtype: 'i32', shape: ['B', 'S'] },
  /** Averaging matrix: 1 / n over the n pooled tokens of a row. */
  mean_weights: { dtype: 'f32', shape: ['B', 'T'] },
  /** 1 / sqrt(n). */
  mean_sqrt_weights: { dtype: 'f32', shape: ['B', 'T'] },
  /** (i + 1) / sum(i + 1), i the index within the row. */
  position_weights: { dtype: 'f32', shape: ['B', 'T'] },
} as const satisfies Record<string, { dtype: Dtype; shape: Shape }>

export type InputRole = keyof typeof INPUTS

/**
 * [B, D] float32. An embedding, followed by its length before normalization where the model normalizes last; or of a
 * classifier the scores, then the raw logits, D = 2 × labels.
 */
export const OUTPUT = 'output'

/** [T, H] float32, of embedding models: what the encoder makes of each token. Costs nothing unless it is fetched. */
export const TOKENS = 'tokens'

export interface CompiledGraph {
  /** A serialized ONNX ModelProto whose large initializers point into the model's own files. */
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly inputs: readonly InputRole[]
  /** D of the output. */
  readonly outputWidth: number
  /** D without the length that may stand last. */
  readonly vectorWidth: number
  /** H of the tokens; 0 where they are no output. */
  readonly tokenWidth: number
  /** Tokens that a row may have: the size of the position table, where there is one. */
  readonly maxTokens: number
  /** Ids must be below this. */
  readonly vocabularySize: number
  /** Tensors of the folder that this graph has no use for. */
  readonly unusedTensors: readonly string[]
}
