/**
 * What a graph and the runtime agree on: the inputs that a graph may ask for, each filled from a ragged batch.
 * A graph lists the roles it uses; `runtime/feeds.ts` fills exactly those.
 */
import type { Dtype, Graph, Shape } from './ir.ts'

export const INPUTS = {
  /** Token ids of all rows, one after the other. */
  ids: { dtype: 'i32', shape: ['T'] },
  /** 0 for the first text of a row, 1 for the second text of a pair, as the tokenizer's template says. */
  types: { dtype: 'i32', shape: ['T'] },
  /** Index of the adapter that each token's row goes through; -1 for none. */
  adapters: { dtype: 'i32', shape: ['T'] },
  /** Index of a token within its row. */
  positions: { dtype: 'i32', shape: ['T'] },
  /** Place of a token among those of its row that are no padding tokens, from 1; 0 for a padding token in a text. */
  counted_positions: { dtype: 'i32', shape: ['T'] },
  /** Packed index of token s of row b; past the end of a row its first token again, so that a maximum ignores padding. */
  padded_rows: { dtype: 'i32', shape: ['B', 'S'] },
  /** Index of each packed token in the flattened [B*S] layout. */
  packed_rows: { dtype: 'i32', shape: ['T'] },
  /** Where each row begins among the packed tokens, and where the last one ends. */
  bounds: { dtype: 'i32', shape: ['B+1'] },
  /**
   * What PackedMultiHeadAttention calls token_offset: places in the flattened [B*S] layout, of the packed tokens in order,
   * then of the padding.
   */
  padded_places: { dtype: 'i32', shape: ['B', 'S'] },
  /** Tokens of each row, minus one: what GroupQueryAttention calls seqlens_k. */
  last_positions: { dtype: 'i32', shape: ['B'] },
  /** As last_positions, of the tokens that others see: without those at a row's end of the graph's `unseenId`. */
  last_seen_positions: { dtype: 'i32', shape: ['B'] },
  /** How many tokens each stands behind the last of its row that others see; 0 for those that are seen. */
  unseen_distances: { dtype: 'i32', shape: ['T'] },
  /** 0, 1, 2 …: all positions up to S. */
  steps: { dtype: 'i32', shape: ['S'] },
  /** S itself: tokens of the longest row, rounded up to what the graph's kernels want. */
  max_length: { dtype: 'i32', shape: [] },
  /**
   * Of attention within a window, for which long rows are cut into pieces that overlap (`runtime/pieces.ts`): P pieces, C
   * tokens of the longest. As padded_rows, of the pieces.
   */
  padded_pieces: { dtype: 'i32', shape: ['P', 'C'] },
  /** Index of each packed token in the flattened [P*C] layout, in the piece that holds all that it sees. */
  packed_pieces: { dtype: 'i32', shape: ['T'] },
  /** Tokens of each piece, minus one. */
  last_piece_positions: { dtype: 'i32', shape: ['P'] },
  /** As last_seen_positions, of each piece; 0 for a piece none of whose tokens is seen. */
  last_seen_piece_positions: { dtype: 'i32', shape: ['P'] },
  /** 0, 1, 2 …: all positions up to C. */
  piece_steps: { dtype: 'i32', shape: ['C'] },
  /** C itself. */
  max_piece_length: { dtype: 'i32', shape: [] },
  /** Packed index of each row's first pooled token. */
  first_rows: { dtype: 'i32', shape: ['B'] },
  /** Packed index of each row's last token. */
  last_rows: { dtype: 'i32', shape: ['B'] },
  /** Packed index of each row's first token of the graph's `endId`; of its first where it has none. */
  end_rows: { dtype: 'i32', shape: ['B'] },
  /** Packed index of each row's last token that is no padding token; of its first where all are. */
  last_counted_rows: { dtype: 'i32', shape: ['B'] },
  /** As padded_rows, over the pooled tokens only. */
  pooled_rows: { dtype: 'i32', shape: ['B', 'S'] },
  /** Averaging matrix: 1 / n over the n pooled tokens of a row. */
  mean_weights: { dtype: 'f32', shape: ['B', 'T'] },
  /** 1 / sqrt(n). */
  mean_sqrt_weights: { dtype: 'f32', shape: ['B', 'T'] },
  /** (i + 1) / sum(i + 1), i the index within the row. */
  position_weights: { dtype: 'f32', shape: ['B', 'T'] },
  /** Of exported models, whose rows are padded: ids, then the graph's `padId` or 0. */
  padded_ids: { dtype: 'i32', shape: ['B', 'S'] },
  /** As types; 0 past the end of a row. */
  padded_types: { dtype: 'i32', shape: ['B', 'S'] },
  /** 0, 1, 2 … in each row, and past its end. */
  padded_positions: { dtype: 'i32', shape: ['B', 'S'] },
  /** 1 for tokens that others see, 0 for tokens at a row's end of the graph's `unseenId` and past the end of a row. */
  padded_seen: { dtype: 'i32', shape: ['B', 'S'] },
  /** Of towers: what the media of all rows hold for each token. Of pictures Q = 3 · p · p numbers, by channel, y and x. */
  patches: { dtype: 'f32', shape: ['T', 'Q'] },
  /** Of towers that hear: the features of each row's sound, F numbers in the order that the tower says. */
  features: { dtype: 'f32', shape: ['B', 'F'] },
  /** How much of each of the G places of a learned grid every token gets. */
  patch_places: { dtype: 'f32', shape: ['T', 'G'] },
} as const satisfies Record<string, { dtype: Dtype; shape: Shape }>

export type InputRole = keyof typeof INPUTS

/**
 * [B, D] float32. An embedding, followed by its length before normalization where the model normalizes last; or of a
 * classifier the scores, then the raw logits, D = 2 × labels.
 */
export const OUTPUT = 'output'

/**
 * [T, H] float32, of embedding models: what the encoder makes of each token; of models whose tokens are compared, their
 * vectors. Costs nothing unless it is fetched.
 */
export const TOKENS = 'tokens'

/** What an exported model made of the batch, of graphs that begin there: no role fills it. */
export const STATES = 'states'

/** How the exported model before a graph is run. */
export interface ExportedBody {
  readonly inputs: readonly ExportedInput[]
  /** The one of its outputs that becomes `states`, in float32. */
  readonly output: { readonly name: string; readonly shape: Shape }
}

export interface ExportedInput {
  /** The model's own name for it. */
  readonly name: string
  readonly role: InputRole
  readonly dtype: 'i32' | 'i64'
}

export interface CompiledGraph {
  /** Large initializers point into the model's own files, or are recipes still to be carried out. */
  readonly graph: Graph
  readonly inputs: readonly InputRole[]
  /** Undefined: the graph is the whole model. Else its roles are among `inputs`, too. */
  readonly body?: ExportedBody
  /** The token that `counted_positions` and `last_counted_rows` do not count, of graphs that ask for them. */
  readonly padId?: number | undefined
  /** The token that `end_rows` tell, of graphs that ask for them; `greatest`: whichever id of the row is the greatest. */
  readonly endId?: number | 'greatest' | undefined
  /** Tokens of this id at the end of a row are seen by no token, of graphs that ask how many those are. */
  readonly unseenId?: number | undefined
  /** How many adapters there are, of graphs that ask for those of tokens. */
  readonly adapterCount?: number | undefined
  /** S is a multiple of it. */
  readonly lengthStep: number
  /** How far the attention of graphs that ask for pieces sees at most. */
  readonly window?: number | undefined
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
  /** Most numbers of an output are 0: rows are told by what is not. */
  readonly isSparse: boolean
  /** Tensors of the folder that this graph has no use for. */
  readonly unusedTensors: readonly string[]
}
