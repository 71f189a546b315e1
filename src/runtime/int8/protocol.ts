import type { Int8Mode } from '../../graph/targets/cpu-int8.ts'
import type { RaggedBatch } from '../runner.ts'

/** With less, int8 is refused unless it is forced: searches would find other texts. */
export const LEAST_COSINE = 0.99

/** What a model in 8 bits is loaded with. */
export interface Int8Ask {
  readonly mode: Int8Mode
  /** Texts that tell how large the inputs of linear layers are. */
  readonly calibration: RaggedBatch
  /** Other texts, on which the model is compared with itself in float32. */
  readonly trial: RaggedBatch
  /** Least mean cosine of their vectors with which the model loads. */
  readonly leastCosine: number
}

/** How near the vectors of a model in 8 bits are to those in float32. */
export interface Fidelity {
  readonly meanCosine: number
  readonly leastCosine: number
  /** How many texts it was measured on. */
  readonly texts: number
}
