/** What keeps CUDA from the GPUs of a machine, each in one sentence with its remedy. */
import type { Gpu } from './gpu.ts'
import { formatCapability } from './gpu.ts'
import type { CudaReport, ProviderReport } from './inspect-cuda.ts'

/** The CUDA provider is built against CUDA 13. */
const LEAST_DRIVER = 580
/**
 * Compute capabilities that ONNX Runtime 1.30's provider has machine code for; it has no code that a driver could translate for
 * others. That for 9.0 and 12.0 runs on these alone, the rest also on later ones of its generation.
 */
const CAPABILITIES = [75, 80, 86, 89, 90, 120]
const FORWARD_GENERATIONS = [7, 8]

/** Library → the packages that bring it, of NVIDIA's repository for Debian and Ubuntu, and of Python's index. */
const PACKAGES: Readonly<Record<string, { readonly apt: string; readonly pip: string }>> = {
  'libcublas.so.13': { apt: 'libcublas-13-0', pip: "'nvidia-cublas==13.*'" },
  'libcublasLt.so.13': { apt: 'libcublas-13-0', pip: "'nvidia-cublas==13.*'" },
  'libcudart.so.13': { apt: 'cuda-cudart-13-0', pip: "'nvidia-cuda-runtime==13.*'" },
  'libcurand.so.10': { apt: 'libcurand-13-0', pip: "'nvidia-curand==10.4.*'" },
}

/** What the provider needs of CUDA, the driver's library aside. */
export const CUDA_LIBRARIES: readonly string[] = Object.keys(PACKAGES)

/** `places` are the GPUs that are to be used, as CUDA counts them. Empty where nothing is in the way. */
export function findProblems(report: CudaReport, places: readonly number[]): string[] {
  const { platform, gpus, provider } = report
  if (platform !== 'linux/x64') {
    return [
      `a GPU is visible, but onnxruntime-node has a CUDA provider for linux/x64 only, and this is ${platform}`,
    ]
  }
  const chosen = places.flatMap((place) => (gpus[place] === undefined ? [] : [[gpus[place], place] as const]))
  const ofDriver = problemsOfDriver(report)
  // an old nvidia-smi does not know all that it is asked
  const isListOurs = ofDriver.length === 0 && !isNarrowed(report)
  return [
    ...ofDriver,
    ...(isListOurs ? report.gpuProblems.map((problem) => problemOfList(report, problem)) : []),
    ...problemsOfOrder(report),
    ...chosen.flatMap(([gpu, place]) => problemsOfGpu(gpu, place, report)),
    ...problemsOfProvider(provider),
  ]
}

/** `GPU 0 (NVIDIA L4)` */
export function describeGpu({ name }: Gpu, place: number): string {
  return `GPU ${place} (${name})`
}

function problemsOfDriver({ driverVersion }: CudaReport): string[] {
  if (driverVersion === undefined || Number.parseInt(driverVersion) >= LEAST_DRIVER) return []
  return [
    `the NVIDIA driver ${driverVersion} is too old for CUDA 13: install ${LEAST_DRIVER} or newer on the host, ` +
      'or choose a host that has it',
  ]
}

/** A GPU that does not answer is none of ours where CUDA_VISIBLE_DEVICES names others, by what cannot be mistaken. */
function isNarrowed({ env, gpus }: CudaReport): boolean {
  return gpus.length > 0 && /^\s*(?:GPU|MIG)-/.test(env['CUDA_VISIBLE_DEVICES'] ?? '')
}

function problemOfList({ listed }: CudaReport, problem: string): string {
  if (listed.length === 0) return `a GPU is visible, but nothing can be learnt of it: ${problem}`
  return `a GPU does not answer: ${problem}; ${leaveOut(listed)}`
}

function leaveOut(healthy: readonly Gpu[]): string {
  return `CUDA_VISIBLE_DEVICES=${healthy.map(({ uuid }) => uuid).join(',')} leaves it out`
}

/** nvidia-smi and CUDA count GPUs alike by PCI address only; by speed, ours and CUDA's numbers may name different ones. */
function problemsOfOrder({ env, listed }: CudaReport): string[] {
  const order = env['CUDA_DEVICE_ORDER']
  const isAlike = new Set(listed.map(({ name }) => name)).size < 2
  if (order === undefined || order === 'PCI_BUS_ID' || isAlike) return []
  return [`CUDA_DEVICE_ORDER="${order}" counts unlike GPUs in an order that cannot be told: unset it`]
}

function problemsOfGpu(gpu: Gpu, place: number, { gpus }: CudaReport): string[] {
  const { broken, computeCapability } = gpu
  if (broken !== undefined) {
    const healthy = gpus.filter((other) => other.broken === undefined)
    const cure = healthy.length > 0 ? leaveOut(healthy) : 'restart its host'
    return [`${describeGpu(gpu, place)} does not answer, nvidia-smi says "${broken}": ${cure}`]
  }
  if (isCovered(computeCapability)) return []
  const covered = [...gpus.entries()].filter(([, { computeCapability }]) => isCovered(computeCapability))
  const others = covered.map(([place]) => place).join(',')
  const cure = others === '' ? 'another GPU is needed' : `DEVICES=${others} uses the others`
  return [
    `${describeGpu(gpu, place)} has compute capability ${formatCapability(computeCapability)}, for which ONNX ` +
      `Runtime's CUDA provider has no code (it has ${CAPABILITIES.map(formatCapability).join(', ')}): ${cure}`,
  ]
}

function isCovered(computeCapability: number): boolean {
  const generation = Math.floor(computeCapability / 10)
  const isLater = FORWARD_GENERATIONS.includes(generation) && computeCapability >= 75
  return isLater || CAPABILITIES.includes(computeCapability)
}

function problemsOfProvider(provider: ProviderReport): string[] {
  const { folder, version, missing, damage, isOfVersion } = provider
  const install = '`npm run setup:cuda` installs it'
  if (missing.length > 0)
    return [`the CUDA provider is incomplete: ${folder} lacks ${missing.join(' and ')}; ${install}`]
  if (damage !== undefined) return [`the CUDA provider cannot be read: ${damage}; ${install} anew`]
  if (isOfVersion === false) {
    return [`the CUDA provider in ${folder} is not of ONNX Runtime ${version}; ${install} in that version`]
  }
  return problemsOfLibraries(provider)
}

function problemsOfLibraries({ linkage, suggestions }: ProviderReport): string[] {
  const missing = linkage?.missing ?? []
  if (missing.length === 0) return []
  const needing = Map.groupBy(missing, ({ neededBy }) => neededBy)
  const names = [...needing]
    .map(([by, group]) => `${group.map(({ name }) => name).join(', ')} (needed by ${by})`)
    .join(', ')
  return [
    `the dynamic loader does not find ${names}: ${howToGet(
      missing.map(({ name }) => name),
      suggestions,
    )}`,
  ]
}

/** How missing libraries are brought to the loader's notice, or to the machine. */
export function howToGet(names: readonly string[], folders: readonly string[]): string {
  const cures: string[] = []
  if (folders.length > 0) cures.push(`set LD_LIBRARY_PATH=${folders.join(':')} before node starts`)
  if (names.includes('libcuda.so.1'))
    cures.push('libcuda.so.1 comes with the driver: start the container with --gpus all')
  const packages = names.flatMap((name) => PACKAGES[name] ?? [])
  if (folders.length === 0 && packages.length > 0) {
    const list = (kind: 'apt' | 'pip') => [...new Set(packages.map((one) => one[kind]))].join(' ')
    cures.push(`apt-get install ${list('apt')} (NVIDIA's repository), or pip install ${list('pip')}`)
  }
  return cures.join('; ') || 'install what brings it'
}
