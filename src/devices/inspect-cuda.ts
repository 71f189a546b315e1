/** Gathers what decides whether CUDA can be used here. It judges nothing: `choose-devices.ts` and the doctor do. */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Linkage } from './find-libraries.ts'
import { driverOfLibrary, findLibraries, suggestFolders } from './find-libraries.ts'
import type { Gpu } from './gpu.ts'
import { hasGpu } from './has-gpu.ts'
import type { CommandResult, Machine } from './machine.ts'
import { CUDA_PROVIDER, isOfVersion, missingProviderFiles } from './provider-files.ts'
import { GPU_FIELDS, parseGpuTable, withSlices } from './read-smi.ts'
import { visibleGpus } from './visible-devices.ts'

export interface CudaReport {
  readonly platform: string
  readonly env: Machine['env']
  /** Of the kernel module, or of a newer user-mode library that stands in for it (the package cuda-compat). */
  readonly driverVersion: string | undefined
  /** All that the driver lists. */
  readonly listed: readonly Gpu[]
  /** Those that CUDA shows this process, each at the place by which CUDA counts it. */
  readonly gpus: readonly Gpu[]
  /** Why GPUs that are there could not be listed. */
  readonly gpuProblems: readonly string[]
  readonly provider: ProviderReport
}

export interface ProviderReport {
  readonly folder: string
  /** Of onnxruntime-node, and so of the provider that fits. */
  readonly version: string
  /** Names of files that are not there. */
  readonly missing: readonly string[]
  /** Why a file that is there cannot be used. */
  readonly damage?: string | undefined
  /** Undefined where the version cannot be told. */
  readonly isOfVersion?: boolean | undefined
  /** What the provider needs of the system; undefined where it is missing. */
  readonly linkage?: Linkage | undefined
  /** Folders with libraries that the loader misses. */
  readonly suggestions: readonly string[]
}

const WSL_SMI = '/usr/lib/wsl/lib/nvidia-smi'

export async function inspectCuda(machine: Machine): Promise<CudaReport> {
  const { platform, env } = machine
  const listing = listGpus(machine)
  // Read while nvidia-smi runs.
  const provider = inspectProvider(machine)
  const { listed, problems, driverVersion } = await listing
  const library = provider.linkage?.found.find(({ name }) => name === 'libcuda.so.1')
  const libraryVersion = library === undefined ? undefined : driverOfLibrary(library.path)
  return {
    platform,
    env,
    driverVersion: newest(readModuleVersion(machine) ?? driverVersion, libraryVersion),
    listed,
    gpus: visibleGpus(listed, env['CUDA_VISIBLE_DEVICES']),
    gpuProblems: problems,
    provider,
  }
}

interface GpuList {
  readonly listed: readonly Gpu[]
  readonly problems: readonly string[]
  readonly driverVersion: string | undefined
}

async function listGpus(machine: Machine): Promise<GpuList> {
  if (!hasGpu(machine)) return { listed: [], problems: [], driverVersion: undefined }
  const query = [`--query-gpu=${GPU_FIELDS.join(',')}`, '--format=csv,noheader,nounits']
  const answer = await runSmi(machine, query)
  const { gpus, complaints, driverVersion } = parseGpuTable(answer.stdout)
  if (answer.failure !== undefined) return { listed: [], problems: [describeFailure(answer)], driverVersion }
  // the driver is loaded, but this container was given no GPU
  if (gpus.length === 0 && /no devices were found/i.test(answer.stdout) && !hasDeviceFile(machine)) {
    return { listed: [], problems: [], driverVersion }
  }
  const problems =
    gpus.length === 0 || complaints.length > 0
      ? [`nvidia-smi says: ${complaints.join(' ') || answer.stderr.trim() || `exit code ${answer.exitCode}`}`]
      : []
  const isSliced = gpus.some(({ slices }) => slices !== undefined)
  const listed = isSliced ? withSlices(gpus, (await runSmi(machine, ['-L'])).stdout) : gpus
  return { listed, problems, driverVersion }
}

async function runSmi(machine: Machine, args: readonly string[]): Promise<CommandResult> {
  const answer = await machine.run('nvidia-smi', args)
  return answer.failure === 'missing' ? machine.run(WSL_SMI, args) : answer
}

/**
 * Without nvidia-smi CUDA would work all the same, but neither dtype nor batches could be chosen, and a guess would show as
 * a failure much later. A container gets it by the capability `utility`.
 */
function describeFailure({ failure }: CommandResult): string {
  if (failure !== 'missing') return 'nvidia-smi does not answer, as when the driver or a GPU hangs'
  return 'nvidia-smi is not found; a container gets it with NVIDIA_DRIVER_CAPABILITIES=compute,utility'
}

function hasDeviceFile({ root }: Machine): boolean {
  return existsSync(`${root}/dev/dxg`) || readdirSync(`${root}/dev`).some((name) => /^nvidia\d+$/.test(name))
}

function readModuleVersion({ root }: Machine): string | undefined {
  try {
    const text = readFileSync(`${root}/proc/driver/nvidia/version`, 'utf8')
    return /Kernel Module.*?\s(\d+(?:\.\d+)+)\s/.exec(text)?.[1]
  } catch {
    return undefined
  }
}

function newest(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return Number.parseInt(other) > Number.parseInt(one) ? other : one
}

function inspectProvider(machine: Machine): ProviderReport {
  const folder = machine.onnxFolder()
  const version = machine.onnxVersion()
  const missing = missingProviderFiles(folder)
  const path = join(folder, CUDA_PROVIDER)
  if (missing.includes(CUDA_PROVIDER)) return { folder, version, missing, suggestions: [] }
  try {
    const linkage = findLibraries(path, machine)
    const suggestions = linkage.missing.length === 0 ? [] : suggestFolders(linkage.missing, machine)
    return { folder, version, missing, isOfVersion: isOfVersion(path, version), linkage, suggestions }
  } catch (error) {
    return { folder, version, missing, damage: (error as Error).message, suggestions: [] }
  }
}
