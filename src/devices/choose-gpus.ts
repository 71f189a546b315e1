import type { CudaDevice, Devices } from './device.ts'
import { describeGpu, findProblems } from './find-problems.ts'
import type { Gpu } from './gpu.ts'
import type { CudaReport } from './inspect-cuda.ts'
import { unavailable } from './unavailable.ts'

/**
 * The GPUs of a machine that has some: all of them, or those at the places named. Throws `provider_unavailable` with everything
 * that keeps CUDA from them.
 */
export function chooseGpus(devices: 'auto' | readonly number[], report: CudaReport): Devices {
  const { gpus } = report
  const places = devices === 'auto' ? [...gpus.keys()] : devices
  const problems = findProblems(report, places)
  if (problems.length > 0) throw unavailable(problems.join('\n'))
  const absent = places.filter((place) => gpus[place] === undefined)
  if (absent.length > 0) {
    const there = gpus.map((gpu, place) => describeGpu(gpu, place)).join(', ')
    throw unavailable(`DEVICES: there is no GPU ${absent.join(', no GPU ')}; CUDA shows ${there}`)
  }
  const [first, ...others] = places.flatMap((place) =>
    gpus[place] === undefined ? [] : [deviceOf(gpus[place], place)],
  )
  if (first === undefined) throw unavailable(describeNone(report))
  return [first, ...others]
}

/** There are GPUs, but CUDA would show none of them. */
function describeNone({ listed, env }: CudaReport): string {
  const unsliced = listed.find(({ slices }) => slices?.length === 0)
  if (unsliced !== undefined) {
    return `${describeGpu(unsliced, unsliced.place)} is in MIG mode and has no slices: make one, or end that mode`
  }
  const there = listed.map((gpu) => `${describeGpu(gpu, gpu.place)} ${gpu.uuid}`).join(', ')
  return `CUDA_VISIBLE_DEVICES="${env['CUDA_VISIBLE_DEVICES']}" names none of the GPUs that are there: ${there}`
}

function deviceOf({ name, totalBytes, freeBytes, computeCapability }: Gpu, index: number): CudaDevice {
  return { kind: 'cuda', index, name, totalBytes, freeBytes, computeCapability }
}
