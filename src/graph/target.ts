import type { Kernels } from './kernels.ts'
import { cpuF32 } from './targets/cpu-f32.ts'

export type Provider = 'cpu'

/** One execution provider in one precision, and how to feed it. */
export interface Target {
  readonly kernels: Kernels
  readonly provider: Provider
  /** What activations are computed in. */
  readonly dtype: 'fp32'
  /** Batches under way at once so that the device never waits for JavaScript. */
  readonly depth: number
  /** Tokens of a batch where nobody says otherwise. */
  readonly batchTokens: number
}

export const TARGETS = {
  'cpu-f32': {
    kernels: cpuF32,
    provider: 'cpu',
    dtype: 'fp32',
    // A batch lasts tens of milliseconds: the next is formed when it ends, so that whoever came meanwhile is in it.
    depth: 1,
    // Activations of a small batch stay in the cache: larger ones are no faster, and make a newcomer wait.
    batchTokens: 512,
  },
} as const satisfies Record<string, Target>

export type TargetName = keyof typeof TARGETS
