import type { TargetName } from '../../graph/target.ts'
import type { ModelSpec } from '../../model/spec.ts'

/** What the process that writes is told. */
export interface PrepackAsk {
  readonly spec: ModelSpec
  readonly target: TargetName
  /** Where prepacked models are kept. */
  readonly folder: string
  /** Where converted weights are. */
  readonly cacheFolder: string | undefined
  /** In the name of what it writes: letters and digits, of this ask alone. */
  readonly token: string
}

/** Bytes that were written, or why none were. */
export type PrepackReply = { readonly bytes: number } | { readonly skipped: string }
