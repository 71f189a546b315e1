/** nvidia-smi's answers as data. It ignores CUDA_VISIBLE_DEVICES: what it lists is what the driver shows. */
import type { Gpu, GpuSlice } from './gpu.ts'

/** Of `nvidia-smi --query-gpu=… --format=csv,noheader,nounits`, in the order in which `parseGpuTable` reads them. */
export const GPU_FIELDS = [
  'index',
  'uuid',
  'name',
  'memory.total',
  'memory.free',
  'compute_cap',
  'driver_version',
  'mig.mode.current',
] as const

export interface GpuTable {
  readonly gpus: readonly Gpu[]
  readonly driverVersion: string | undefined
  /** Lines that are no row of the table: of a GPU that does not answer, for one. */
  readonly complaints: readonly string[]
}

// such as a damaged infoROM, with which everything works
const HARMLESS = /^warning/i
const MEBIBYTE = 1_048_576
const GIGABYTE = 1_000_000_000

export function parseGpuTable(text: string): GpuTable {
  const gpus: Gpu[] = []
  const complaints: string[] = []
  let driverVersion: string | undefined
  for (const line of text.split('\n').map((line) => line.trim())) {
    const cells = line.split(',').map((cell) => cell.trim())
    if (cells.length === GPU_FIELDS.length && /^\d+$/.test(cells[0] ?? '')) {
      gpus.push(readRow(cells))
      const version = cells[6] ?? ''
      if (/^\d+\.\d/.test(version)) driverVersion ??= version
    } else if (line !== '' && !HARMLESS.test(line)) {
      complaints.push(line)
    }
  }
  return { gpus, driverVersion, complaints }
}

function readRow(cells: readonly string[]): Gpu {
  const [place, uuid = '', name = '', total = '', free = '', capability = '', , mig] = cells
  const isSliced = mig === 'Enabled'
  // the memory of a sliced GPU is its slices', and is not shown inside a container that has one of them
  const numbers = isSliced ? [capability] : [total, free, capability]
  const broken = numbers.find((number) => !/^\d+(?:\.\d+)?$/.test(number))
  return {
    place: Number(place),
    uuid,
    name,
    totalBytes: (Number(total) || 0) * MEBIBYTE,
    freeBytes: (Number(free) || 0) * MEBIBYTE,
    computeCapability: Math.round((Number(capability) || 0) * 10),
    broken,
    slices: isSliced ? [] : undefined,
  }
}

/** Adds the slices that `nvidia-smi -L` lists below the GPUs that they are cut from. */
export function withSlices(gpus: readonly Gpu[], list: string): Gpu[] {
  const slicesOf = new Map<number, GpuSlice[]>()
  let current: GpuSlice[] = []
  for (const line of list.split('\n')) {
    const place = /^GPU (\d+):/.exec(line)?.[1]
    if (place !== undefined) slicesOf.set(Number(place), (current = []))
    const [, profile, uuid] = /^\s+MIG (\S+)\s.*UUID: (MIG-[^)\s]+)/.exec(line) ?? []
    if (profile !== undefined && uuid !== undefined) current.push({ profile, uuid })
  }
  return gpus.map((gpu) =>
    gpu.slices === undefined ? gpu : { ...gpu, slices: slicesOf.get(gpu.place) ?? [] },
  )
}

/**
 * A slice as the GPU that CUDA makes of it. Its memory is what its name promises, in units of 1000³ bytes: a little less
 * than it has. That nobody else uses the slice is assumed, since nvidia-smi has no field for it.
 */
export function gpuOfSlice(gpu: Gpu, { uuid, profile }: GpuSlice): Gpu {
  const memory = Number(/(\d+)gb/.exec(profile)?.[1] ?? 0) * GIGABYTE
  const broken = memory === 0 ? `MIG ${profile}` : gpu.broken
  return {
    place: gpu.place,
    uuid,
    name: `${gpu.name} MIG ${profile}`,
    totalBytes: memory,
    freeBytes: memory,
    computeCapability: gpu.computeCapability,
    broken,
  }
}
