/** A machine that is a folder: its files are real, and its nvidia-smi says what it was told to say. */
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { CommandResult, Machine } from '../../../src/devices/machine.ts'
import { writeElf } from './write-elf.ts'
import { writeLoaderCache } from './write-loader-cache.ts'

export interface FakeMachine extends Machine {
  /** Commands that were run. */
  readonly commands: string[]
}

export interface MachineParts {
  readonly platform?: string
  readonly env?: Record<string, string>
  readonly startEnv?: Record<string, string>
  /** Path below the root → what stands there. */
  readonly files?: Readonly<Record<string, Buffer | string>>
  /** Command line, without the program → what it prints. */
  readonly smi?: Readonly<Record<string, string | Partial<CommandResult>>>
}

export const QUERY =
  '--query-gpu=index,uuid,name,memory.total,memory.free,compute_cap,driver_version,mig.mode.current ' +
  '--format=csv,noheader,nounits'
export const PROVIDER_FOLDER = 'app/onnx'

const CUDA_LIBRARIES = ['libcublasLt.so.13', 'libcublas.so.13', 'libcurand.so.10', 'libcudart.so.13']
export const PROVIDER = `${PROVIDER_FOLDER}/libonnxruntime_providers_cuda.so`

/** What a container with one GPU, CUDA 13 and the provider holds. */
export function readyFiles(): Record<string, Buffer | string> {
  const names = [...CUDA_LIBRARIES, 'libcuda.so.1']
  const folder = 'usr/lib/x86_64-linux-gnu'
  return {
    'dev/nvidiactl': '',
    'dev/nvidia0': '',
    'proc/driver/nvidia/version':
      'NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05  Tue Sep 23 10:11:16 UTC 2025\n' +
      'GCC version:  gcc version 12.2.0 (Debian 12.2.0-14+deb12u1)\n',
    [PROVIDER]: writeElf({ needed: names, constants: 'x\x001.30.0\x00y' }),
    [`${PROVIDER_FOLDER}/libonnxruntime_providers_shared.so`]: writeElf(),
    ...Object.fromEntries(names.map((name) => [`${folder}/${name}`, writeElf({ soname: name })])),
    'etc/ld.so.cache': writeLoaderCache(names.map((name) => ({ name, path: `/${folder}/${name}` }))),
  }
}

export async function makeMachine(parts: MachineParts = {}): Promise<FakeMachine> {
  const { platform = 'linux/x64', env = {}, startEnv = {}, files = {}, smi = {} } = parts
  const root = await realpath(await mkdtemp(join(tmpdir(), 'machine-')))
  onTestFinished(() => rm(root, { recursive: true, force: true }))
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), content)
  }
  const commands: string[] = []
  return {
    platform,
    root,
    env,
    startEnv: () => startEnv,
    onnxFolder: () => join(root, PROVIDER_FOLDER),
    onnxVersion: () => '1.30.0',
    commands,
    run: (command, args) => {
      commands.push([command, ...args].join(' '))
      const answer = smi[args.join(' ')] ?? { exitCode: undefined, failure: 'missing' }
      const told = typeof answer === 'string' ? { stdout: answer } : answer
      return Promise.resolve({ exitCode: 0, stdout: '', stderr: '', ...told })
    },
  }
}

const UUIDS = ['GPU-1f0a6bd2-6c1e-4c39-9c57-0d7c6b0a1111', 'GPU-1f9c44e7-2222-4a5b-8d11-5f3e2c1b2222']

export interface RowParts {
  readonly place?: number
  readonly name?: string
  readonly total?: string
  readonly free?: string
  readonly capability?: string
  readonly driver?: string
  readonly mig?: string
}

/** A line of nvidia-smi's table: an H100 where nothing else is said. */
export function smiRow(parts: RowParts = {}): string {
  const { place = 0, name = 'NVIDIA H100 80GB HBM3', total = '81559', free = '81079' } = parts
  const { capability = '9.0', driver = '580.95.05', mig = 'Disabled' } = parts
  return `${[place, uuidOf(place), name, total, free, capability, driver, mig].join(', ')}\n`
}

export function uuidOf(place: number): string {
  return UUIDS[place] ?? `GPU-${place}`
}
