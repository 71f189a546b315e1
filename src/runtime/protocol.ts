import type { TargetName } from '../graph/target.ts'
import type { ModelSpec } from '../model/spec.ts'
import type { RaggedBatch, RunnerLimits, RunResult } from './runner.ts'

export interface LoadReply extends RunnerLimits {
  readonly unusedTensors: readonly string[]
  readonly loadMs: number
}

export interface InferenceCalls {
  load: { ask: { spec: ModelSpec; target: TargetName; threadCount: number }; reply: LoadReply }
  run: { ask: RaggedBatch; reply: RunResult }
}
