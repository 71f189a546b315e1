/** Of a model that reads pictures or sound: what does, and how they are prepared for it. */
import type { CompiledGraph } from '../../src/graph/contract.ts'
import { AUDIO_TOWERS, IMAGE_TOWERS, findTower } from '../../src/graph/towers/registry.ts'
import type { ModelSpec } from '../../src/model/spec.ts'
import { describeFields, describeHead } from './describe-head.ts'

export const MODALITIES = ['image', 'audio'] as const
export type Modality = (typeof MODALITIES)[number]

export interface TowerReport {
  readonly modality: Modality
  readonly modelType: string
  /** The tensor by which the family was told. */
  readonly probe: string
  /** What becomes of the tower's own vector; empty where that is the answer. */
  readonly steps: readonly string[]
  readonly processing: string
  /** Of a vector; undefined where no graph could be built. */
  readonly width: number | undefined
  /** Patches at most, and what stands before them. */
  readonly maxTokens: number | undefined
}

/** Throws `model_unsupported` for a family that we lack. */
export function reportTower(
  spec: ModelSpec,
  modality: Modality,
  graph: CompiledGraph | undefined,
): TowerReport | undefined {
  const tower = spec[modality]
  if (tower === undefined) return undefined
  const { modelType, steps, processing } = tower
  const families = modality === 'image' ? IMAGE_TOWERS : AUDIO_TOWERS
  const [, ...lines] = describeHead({ kind: 'embedding', steps })
  return {
    modality,
    modelType,
    probe: findTower<never>(families, modelType, spec).probe,
    steps: lines.map((line) => line.trim()),
    processing: describeFields(processing),
    width: graph?.vectorWidth,
    maxTokens: graph?.maxTokens,
  }
}
