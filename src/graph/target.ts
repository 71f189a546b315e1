import type { Kernels } from './kernels.ts'
import { cpuF32 } from './targets/cpu-f32.ts'

export const TARGETS = { 'cpu-f32': cpuF32 } as const satisfies Record<string, Kernels>

export type TargetName = keyof typeof TARGETS
