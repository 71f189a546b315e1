import type { Kernels } from './kernels.ts'
import { cpuF32 } from './targets/cpu-f32.ts'
import type { Int8Mode } from './targets/cpu-int8.ts'
import { int8Kernels } from './targets/cpu-int8.ts'
import { cudaKernels } from './targets/cuda.ts'

export type Provider = 'cpu' | 'cuda'

/** One execution provider in one precision, and how to feed it. */
export interface Target {
  readonly kernels: Kernels
  /** What pooling, dense modules, classifiers and the choice of experts are computed with: float32 of the same provider. */
  readonly headKernels: Kernels
  readonly provider: Provider
  /** What activations are computed in. */
  readonly dtype: 'fp32' | 'fp16' | 'bf16' | 'int8'
  /** Of int8: what stands between its speed and its fidelity. */
  readonly int8Mode?: Int8Mode
  /** Batches under way at once so that the device never waits for JavaScript. */
  readonly depth: number
  /** Tokens of a batch where nobody says otherwise; on CUDA the most that are tried. */
  readonly batchTokens: number
  /** As `BatchLimits` of the engine has it; undefined where batches take no time to speak of. */
  readonly sharedTokens?: number
  /** Most tokens that a batch may have, whatever is asked for. */
  readonly maxBatchTokens: number
}

const CUDA = {
  provider: 'cuda',
  headKernels: cudaKernels('f32'),
  // One runs while the next lies ready.
  depth: 2,
  // The largest cards are busy with fewer.
  batchTokens: 32_768,
  // RotaryEmbedding counts tokens in the second place of its grid, which has 16 bits.
  maxBatchTokens: 65_535,
} as const satisfies Partial<Target>

const CPU = {
  provider: 'cpu',
  headKernels: cpuF32,
  // A batch lasts tens of milliseconds: the next is formed when it ends, so that whoever came meanwhile is in it.
  depth: 1,
  // Activations of a small batch stay in the cache: larger ones are no faster, and make a newcomer wait.
  batchTokens: 512,
  // Half as many take half as long, and cost a tenth of the throughput.
  sharedTokens: 256,
  maxBatchTokens: Infinity,
} as const satisfies Partial<Target>

export const TARGETS = {
  'cpu-f32': { ...CPU, kernels: cpuF32, dtype: 'fp32' },
  'cpu-int8-fast': { ...CPU, kernels: int8Kernels('fast'), dtype: 'int8', int8Mode: 'fast' },
  'cpu-int8-balanced': { ...CPU, kernels: int8Kernels('balanced'), dtype: 'int8', int8Mode: 'balanced' },
  'cpu-int8-faithful': { ...CPU, kernels: int8Kernels('faithful'), dtype: 'int8', int8Mode: 'faithful' },
  'cuda-f32': { ...CUDA, kernels: cudaKernels('f32'), dtype: 'fp32' },
  'cuda-f16': { ...CUDA, kernels: cudaKernels('f16'), dtype: 'fp16' },
  'cuda-bf16': { ...CUDA, kernels: cudaKernels('bf16'), dtype: 'bf16' },
} as const satisfies Record<string, Target>

export type TargetName = keyof typeof TARGETS
