import type { Gpu } from './gpu.ts'
import { gpuOfSlice } from './read-smi.ts'

/**
 * The GPUs that CUDA shows this process, each at the place by which it counts them. `value` is CUDA_VISIBLE_DEVICES, whose
 * rules are CUDA's own: an empty one hides all, the first entry that names nothing ends the list, and an entry that occurs twice
 * or fits two GPUs empties it. A process sees one slice at most, and then nothing else.
 */
export function visibleGpus(gpus: readonly Gpu[], value: string | undefined): readonly Gpu[] {
  const units = value === undefined ? gpus : listed(gpus, value)
  const usable = units.flatMap((gpu) => (gpu.slices === undefined ? [gpu] : slicesOf(gpu)))
  const slice = usable.find(({ uuid }) => uuid.startsWith('MIG-'))
  return slice === undefined ? usable : [slice]
}

function slicesOf(gpu: Gpu): Gpu[] {
  return (gpu.slices ?? []).map((slice) => gpuOfSlice(gpu, slice))
}

function listed(gpus: readonly Gpu[], value: string): Gpu[] {
  const chosen: Gpu[] = []
  const entries = value.split(',').map((entry) => entry.trim())
  const byUuid = /^(?:GPU|MIG)-/.test(entries[0] ?? '')
  for (const entry of entries) {
    const found = byUuid ? named(gpus, entry) : numbered(gpus, entry)
    if (found.length === 0) break
    const [gpu] = found
    if (gpu === undefined || found.length > 1 || chosen.some(({ uuid }) => uuid === gpu.uuid)) return []
    chosen.push(gpu)
  }
  return chosen
}

function named(gpus: readonly Gpu[], entry: string): Gpu[] {
  if (entry.startsWith('GPU-')) return gpus.filter(({ uuid }) => uuid.startsWith(entry))
  if (!entry.startsWith('MIG-')) return []
  return gpus.flatMap(slicesOf).filter(({ uuid }) => uuid.startsWith(entry))
}

/** Of an entry that begins with digits CUDA reads these and no more. */
function numbered(gpus: readonly Gpu[], entry: string): Gpu[] {
  const digits = /^\+?(\d+)/.exec(entry)?.[1]
  const gpu = digits === undefined ? undefined : gpus[Number(digits)]
  return gpu === undefined ? [] : [gpu]
}
