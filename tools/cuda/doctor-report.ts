/** What the doctor finds, as plain data. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Config } from '../../src/config.ts'
import { ConfigError, loadConfig } from '../../src/config.ts'
import { chooseDevices } from '../../src/devices/choose-devices.ts'
import type { Device } from '../../src/devices/device.ts'
import { describeDevice } from '../../src/devices/device.ts'
import { findLibrary } from '../../src/devices/find-libraries.ts'
import { CUDA_LIBRARIES } from '../../src/devices/find-problems.ts'
import type { Gpu } from '../../src/devices/gpu.ts'
import { inspectCuda } from '../../src/devices/inspect-cuda.ts'
import type { Machine } from '../../src/devices/machine.ts'
import { TELEMETRY_OFF, ortEnvironment } from '../../src/devices/ort-environment.ts'
import { commitOf } from '../../src/devices/provider-files.ts'
import { ADVICE } from '../../src/devices/unavailable.ts'
import { messageOf } from '../../src/errors.ts'
import { runProgram } from './run-program.ts'

export interface DoctorReport {
  readonly node: string
  readonly platform: string
  readonly onnxruntime: {
    readonly version: string
    readonly commit: string | undefined
    readonly folder: string
  }
  readonly driver: string | undefined
  readonly gpus: readonly (Gpu & { readonly cuda: string | undefined })[]
  readonly gpuProblems: readonly string[]
  readonly provider: { readonly missing: readonly string[]; readonly isOfVersion: boolean | undefined }
  /** Name → path; undefined where the loader does not find it. */
  readonly libraries: Readonly<Record<string, string | null>>
  readonly settings: Pick<Config, 'executionProvider' | 'devices' | 'allowTf32'> | undefined
  readonly chosen: readonly string[]
  /** Of each GPU chosen: milliseconds of a first small session, or what was said in place of one. */
  readonly trials: readonly Trial[]
  /** Why the present settings would not start. */
  readonly problems: readonly string[]
}

export interface Trial {
  readonly device: string
  readonly ms?: number
  readonly failure?: string
}

/** Opened by name when cuDNN's own kernels are asked for; its absence keeps nothing from working. */
export const CUDNN = 'libcudnn.so.9'
/** The driver's. */
const CUDA_DRIVER = 'libcuda.so.1'
const TRY_SESSION = fileURLToPath(new URL('./try-session.ts', import.meta.url))
const TRIAL_LIMIT_MS = 120_000

/** `env` are the variables that a start would read, of a `.env` file too. */
export async function examine(
  machine: Machine,
  env: Readonly<Record<string, string | undefined>>,
): Promise<DoctorReport> {
  const problems: string[] = []
  const cuda = await inspectCuda(machine)
  const config = readConfig(env, problems)
  const devices = config === undefined ? [] : await choose(config, machine, problems)
  const trials = await tryAll(devices, config?.allowTf32 ?? false)
  problems.push(
    ...trials.flatMap(({ device, failure }) => (failure === undefined ? [] : [`${device}: ${failure}`])),
  )
  const { folder, version, missing, isOfVersion, linkage } = cuda.provider
  const library = join(folder, 'libonnxruntime.so.1')
  const found = new Map(linkage?.found.map(({ name, path }) => [name, path]))
  const names = [...CUDA_LIBRARIES, CUDA_DRIVER, CUDNN]
  return {
    node: process.version,
    platform: machine.platform,
    onnxruntime: { version, commit: existsSync(library) ? commitOf(library) : undefined, folder },
    driver: cuda.driverVersion,
    gpus: cuda.listed.map((gpu) => ({ ...gpu, cuda: placeOf(gpu, cuda.gpus) })),
    gpuProblems: cuda.gpuProblems,
    provider: { missing, isOfVersion },
    libraries: Object.fromEntries(
      names.map((name) => [name, found.get(name) ?? findLibrary(name, machine) ?? null]),
    ),
    settings: config && {
      executionProvider: config.executionProvider,
      devices: config.devices,
      allowTf32: config.allowTf32,
    },
    chosen: devices.map(describeDevice),
    trials,
    problems,
  }
}

function readConfig(
  env: Readonly<Record<string, string | undefined>>,
  problems: string[],
): Config | undefined {
  try {
    return loadConfig(env, [])
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    problems.push(...error.problems)
    return undefined
  }
}

async function choose(config: Config, machine: Machine, problems: string[]): Promise<readonly Device[]> {
  try {
    return await chooseDevices(config, machine)
  } catch (error) {
    problems.push(
      ...messageOf(error)
        .split('\n')
        .filter((line) => line !== ADVICE),
    )
    return []
  }
}

/** `cuda:0` for a GPU, or a slice of it, that this process can see. */
function placeOf({ uuid, slices = [] }: Gpu, visible: readonly Gpu[]): string | undefined {
  const place = visible.findIndex(
    (gpu) => gpu.uuid === uuid || slices.some((slice) => slice.uuid === gpu.uuid),
  )
  return place < 0 ? undefined : `cuda:${place}`
}

/** One after the other, each in a process of its own: what ends it is a finding too. */
async function tryAll(devices: readonly Device[], allowTf32: boolean): Promise<Trial[]> {
  const trials: Trial[] = []
  for (const device of devices) {
    if (device.kind === 'cpu') continue
    const env = { ...ortEnvironment(devices, { allowTf32 }), ...process.env }
    trials.push({ device: describeDevice(device), ...(await trySession(String(device.index), env)) })
  }
  return trials
}

/** A first session on `cpu` or on a GPU by its number. */
export async function trySession(
  device: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Omit<Trial, 'device'>> {
  // as the program itself has it
  const options = { env: { ...env, ...TELEMETRY_OFF }, limitMs: TRIAL_LIMIT_MS }
  const { exitCode, failure, stdout, stderr } = await runProgram(
    process.execPath,
    [TRY_SESSION, device],
    options,
  )
  return exitCode === 0
    ? { ms: Number(stdout) }
    : { failure: reasonIn(stderr) ?? failure ?? `exit code ${exitCode}` }
}

/** ONNX Runtime's log names the library that is missing; the error that follows it does not. */
export function reasonIn(stderr: string): string | undefined {
  const telling = /(?:Failed to load library|CUDA failure)[^\n]*?(?= ; |\n|$)/.exec(stderr)?.[0]
  return telling ?? /^\w*Error: (.*)$/m.exec(stderr)?.[1]
}
