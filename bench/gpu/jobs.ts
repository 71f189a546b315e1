/** What a child process is asked to do: plain data, handed over as JSON. */
import type { WeightDtype } from '../../tools/random-model/write-weights.ts'
import type { ShapeName } from '../../tools/random-model/shapes.ts'
import type { SetName } from './texts.ts'

/** Variables of the program's configuration: see docs/configuration.md. */
export type Settings = Readonly<Record<string, string>>

export interface MakeJob {
  readonly kind: 'make'
  readonly shape: ShapeName
  readonly folder: string
  readonly dtype: WeightDtype
}

export interface GoldenJob {
  readonly kind: 'golden'
  /** Paths below tests/golden. */
  readonly fixtures: readonly string[]
  readonly settings: Settings
}

export interface SpeedJob {
  readonly kind: 'speed'
  readonly shape: ShapeName
  readonly folder: string
  readonly variant?: string | undefined
  readonly settings: Settings
  /** A JSON file of `TextSets`. */
  readonly textsFile: string
  readonly sets: readonly SetName[]
  /** How long a round should take. */
  readonly roundSeconds: number
  readonly rounds: number
  /** Short texts, one at a time. */
  readonly queries: number
  /** By which nvidia-smi knows the GPU. */
  readonly gpuId?: string | undefined
  /** Where the vectors of the first texts go, for a peer to compare with. */
  readonly vectorsFile?: string | undefined
}

export interface StartJob {
  readonly kind: 'start'
  readonly shape: ShapeName
  readonly folder: string
  readonly settings: Settings
  readonly runs: number
}

export type Job = MakeJob | GoldenJob | SpeedJob | StartJob

/** Texts whose vectors are compared with a peer's. */
export const COMPARED_TEXTS = 64
/** Words of a short query. */
export const QUERY_WORDS = 10
