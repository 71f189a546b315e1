/** What a figure is worth nothing without: the machine, its driver, the versions of everything. */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { CudaDevice } from '../../src/devices/device.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export interface MachineFacts {
  /** Name of the GPU, or of the processor. */
  readonly device: string
  readonly [fact: string]: unknown
}

/** `gpuId` is what nvidia-smi calls the GPU. */
export async function readMachine(
  gpu: CudaDevice | undefined,
  gpuId: string | undefined,
): Promise<MachineFacts> {
  const processor = cpus()[0]?.model.trim() ?? 'unknown processor'
  const [revision, dirty, doctor, card] = await Promise.all([
    ask('git', ['rev-parse', 'HEAD']),
    ask('git', ['status', '--porcelain', '--untracked-files=no']),
    askDoctor(),
    gpuId === undefined ? undefined : askCard(gpuId),
  ])
  return {
    device: gpu?.name ?? processor,
    processor,
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    load: loadavg()[0],
    system: `${process.platform}/${process.arch} ${release()}`,
    node: process.version,
    onnxruntime: versionOf('onnxruntime-node'),
    tokenizers: versionOf('tokenizers'),
    revision,
    changedSince: dirty === undefined ? undefined : dirty !== '',
    gpu: gpu === undefined ? undefined : { ...gpu, ...card },
    doctor,
  }
}

const CARD_FIELDS = ['driver_version', 'power.limit', 'clocks.max.sm', 'clocks.max.memory', 'temperature.gpu']

async function askCard(gpuId: string): Promise<Record<string, string>> {
  const args = [`--query-gpu=${CARD_FIELDS.join(',')}`, '--format=csv,noheader', '-i', gpuId]
  const cells = (await ask('nvidia-smi', args))?.split(',') ?? []
  return Object.fromEntries(CARD_FIELDS.map((name, index) => [name, cells[index]?.trim() ?? 'unknown']))
}

/** All that the doctor finds; it may find nothing but trouble, which is worth keeping too. */
async function askDoctor(): Promise<unknown> {
  const doctor = `${ROOT}/tools/doctor.ts`
  if (!existsSync(doctor)) return undefined
  const output = await ask(process.execPath, [doctor, '--json'], { acceptFailure: true })
  try {
    return JSON.parse(output ?? '')
  } catch {
    return output?.slice(0, 4000)
  }
}

function ask(
  program: string,
  args: readonly string[],
  { acceptFailure = false } = {},
): Promise<string | undefined> {
  const options = { cwd: ROOT, timeout: 90_000, encoding: 'utf8', maxBuffer: 2 ** 24 } as const
  return new Promise((resolve) => {
    execFile(program, args, options, (error, stdout) => {
      resolve(error === null || acceptFailure ? stdout.trim() : undefined)
    })
  })
}

function versionOf(name: string): string | undefined {
  try {
    const text = readFileSync(`${ROOT}/node_modules/${name}/package.json`, 'utf8')
    return (JSON.parse(text) as { version: string }).version
  } catch {
    return undefined
  }
}
