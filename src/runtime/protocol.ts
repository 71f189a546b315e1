import type { Device } from '../devices/device.ts'
import type { ChosenTarget } from '../graph/choose-target.ts'
import type { Target, TargetName } from '../graph/target.ts'
import type { ExportedDtype } from '../model/exported-spec.ts'
import type { ModelSpec, RequestedDtype } from '../model/spec.ts'
import type { FoundBudget } from './find-batch-budget.ts'
import type { Int8Mode } from '../graph/targets/cpu-int8.ts'
import type { Fidelity, Int8Ask } from './int8/protocol.ts'
import type { RaggedBatch, RunnerLimits, RunnerTowers, RunResult } from './runner.ts'

/** What a model may take of its device, where the size of its batches shall be found by trying. */
export interface MemoryShare {
  /** Bytes, weights included. */
  readonly memoryBytes: number
  /** Rows that a batch may have. */
  readonly maxRows: number
}

export interface LoadAsk {
  readonly spec: ModelSpec
  readonly target: TargetName
  readonly device: Device
  readonly threadCount: number
  /** As of `SessionOptions`. */
  readonly spins?: boolean | undefined
  /** Undefined: batches have the size that suits the target. */
  readonly share: MemoryShare | undefined
  /** Where converted weights are kept for the next start; without it they are made anew. */
  readonly cacheFolder?: string | undefined
  /** On the CPU: where an earlier start may have kept the model with its weights packed; without it nothing is looked for. */
  readonly prepackedFolder?: string | undefined
  /** Of the targets in int8. */
  readonly int8?: Int8Ask | undefined
}

/** Undefined: none was looked for. Otherwise whether the model came from there, or why what was there was not taken. */
export interface PrepackedReply {
  readonly isUsed: boolean
  readonly ignored?: string | undefined
}

/** Of the target that the model runs on: the main thread is spared its kernels. */
export interface TargetFacts extends Pick<Target, 'provider' | 'depth' | 'maxBatchTokens' | 'sharedTokens'> {
  /** The target's, or that of an exported model before it. */
  readonly dtype: Target['dtype'] | ExportedDtype
}

export interface LoadReply extends RunnerLimits, FoundBudget, TargetFacts {
  readonly towers: RunnerTowers
  /** Of the folder's, those that no side of the model has a use for. */
  readonly unusedTensors: readonly string[]
  readonly loadMs: number
  readonly prepacked?: PrepackedReply | undefined
  /** Of a model in int8. */
  readonly fidelity?: Fidelity | undefined
  /** Of a model in int8: why the next start will calibrate anew. */
  readonly unkept?: string | undefined
}

/** In place of a reply: the model's numbers are beyond what the target can hold. */
export interface OverflowReply {
  readonly overflow: string
}

/** Converts weights for all devices, so that they need not do it side by side. */
export type PlaceAsk = Pick<LoadAsk, 'spec' | 'target'> & { readonly cacheFolder: string }

export interface PlaceReply {
  /** False where the folder does not take them: each device then makes them by itself. */
  readonly isKept: boolean
}

export interface ChooseAsk {
  readonly spec: ModelSpec
  readonly requested: RequestedDtype
  readonly device: Device
  readonly int8Mode: Int8Mode
}

export interface ChooseReply extends ChosenTarget {
  /** Given where the model is computed in int8. */
  readonly int8Mode?: Int8Mode | undefined
  /** Where the model goes whose numbers that target cannot hold; undefined: there is nothing wider. */
  readonly wider: { readonly target: TargetName; readonly dtype: Target['dtype'] } | undefined
}

export interface InferenceCalls {
  choose: { ask: ChooseAsk; reply: ChooseReply }
  place: { ask: PlaceAsk; reply: PlaceReply | OverflowReply }
  load: { ask: LoadAsk; reply: LoadReply | OverflowReply }
  run: { ask: RaggedBatch; reply: RunResult }
}
