import type { AudioProcessing, ImageProcessing } from '../../model/spec.ts'
import type { ConfigReader } from '../config-reader.ts'
import type { Value } from '../ir.ts'
import type { Workshop } from '../layers/encoder.ts'

/** One architecture of towers for a modality whose preparation is a `P`. */
export interface Tower<P> {
  /** Values of `modelType` of `ImageTower` or `AudioTower`. */
  readonly modelTypes: readonly string[]
  /** As of `Family`. */
  readonly prefixes: readonly string[]
  /** The tensor by which the prefix is found; of several towers of one type, the first whose probe a folder holds is it. */
  readonly probe: string
  /** Tensors that match are part of the tower: one that is not used means another architecture. */
  readonly body: RegExp
  /** Exceptions to `body`. */
  readonly ignored: readonly RegExp[]
  /** Throws `model_invalid` or `model_unsupported` where settings and preparation are not such a tower's. */
  readonly plan: (config: ConfigReader, processing: P) => TowerPlan
}

export type ImageTowerFamily = Tower<ImageProcessing>
export type AudioTowerFamily = Tower<AudioProcessing>

export interface TowerPlan {
  /** Tokens that a row may have, those before its patches too. */
  readonly maxTokens: number
  /** What the runtime fills to one vector a row, before the folder's own projection: [B, H] float32. */
  readonly build: (shop: Workshop) => Value
}
