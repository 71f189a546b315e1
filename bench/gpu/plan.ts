/** Which processes to start, in which order, on which device. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ShapeName } from '../../tools/random-model/shapes.ts'
import { SHAPES } from '../../tools/random-model/shapes.ts'
import type { WeightDtype } from '../../tools/random-model/write-weights.ts'
import type { Flags } from './flags.ts'
import type { GoldenJob, MakeJob, Settings, SpeedJob, StartJob } from './jobs.ts'
import type { Task } from './run-task.ts'
import { FINDINGS_PIPE, taskOf } from './run-task.ts'
import type { SetName } from './texts.ts'
import { SET_NAMES } from './texts.ts'
import type { Variant } from './variants.ts'

export interface Surroundings {
  readonly flags: Flags
  /** As CUDA counts it; undefined: the CPU. */
  readonly gpuIndex: number | undefined
  readonly gpuId: string | undefined
  readonly modelsDir: string
  /** For texts, vectors and converted weights of this run. */
  readonly scratch: string
}

const PEER = fileURLToPath(new URL('../peers/sentence-transformers.py', import.meta.url))

export function textCounts({ cpu, quick }: Flags): Record<SetName, number> {
  if (cpu) return { mixed: 512, '128': 512, '512': 128 }
  return quick ? { mixed: 2048, '128': 2048, '512': 512 } : { mixed: 4096, '128': 4096, '512': 1024 }
}

/** The dtypes in which the fixtures are run. */
export function goldenDtypes({ cpu }: Flags): readonly WeightDtype[] {
  return cpu ? ['fp32'] : ['fp32', 'fp16', 'bf16']
}

export function makeTask(shape: ShapeName, { modelsDir }: Surroundings): Task {
  // as the hub has them: small encoders in fp32 or fp16, decoders in bf16
  const dtype = SHAPES[shape].family === 'qwen3' ? 'bf16' : 'fp16'
  const job: MakeJob = { kind: 'make', shape, folder: folderOf(shape, modelsDir), dtype }
  return taskOf(`make ${shape}`, job, { limitSeconds: 120 })
}

export function goldenTask(dtype: WeightDtype, fixtures: readonly string[], where: Surroundings): Task {
  // a budget of its own spares each fixture the search for the largest batch
  const settings = { ...settingsOf(where), DTYPES: dtype, MAX_BATCH_TOKENS: '2048' }
  const job: GoldenJob = { kind: 'golden', fixtures, settings }
  return taskOf(`golden ${dtype}`, job, { limitSeconds: 150 })
}

export function speedTask(shape: ShapeName, where: Surroundings): Task {
  const { flags, scratch } = where
  const job = speedJob(shape, where, SET_NAMES)
  const compared = { ...job, vectorsFile: vectorsFileOf(shape, scratch), queries: flags.cpu ? 50 : 200 }
  return taskOf(`speed ${shape}`, compared, { limitSeconds: limitOf(shape) })
}

/** The same again with other kernels, without queries. */
export function variantTask(shape: ShapeName, variant: Variant, where: Surroundings): Task {
  const job = speedJob(shape, where, ['mixed', '512'])
  const varied = {
    ...job,
    settings: { ...job.settings, ...variant.settings },
    variant: variant.name,
    queries: 0,
  }
  return taskOf(`variant ${variant.name}`, varied, { env: variant.env ?? {}, limitSeconds: 60 })
}

function speedJob(shape: ShapeName, where: Surroundings, sets: readonly SetName[]): SpeedJob {
  const { flags, gpuId, modelsDir, scratch } = where
  return {
    kind: 'speed',
    shape,
    folder: folderOf(shape, modelsDir),
    settings: { ...settingsOf(where), DTYPES: dtypeOf(shape, flags), BATCH_SIZES: flags.cpu ? '32' : '256' },
    textsFile: textsFileOf(scratch),
    sets,
    roundSeconds: flags.quick ? 0.5 : 1,
    rounds: 3,
    queries: 0,
    gpuId,
  }
}

export function startTask(shape: ShapeName, where: Surroundings): Task {
  const { flags, modelsDir, scratch } = where
  // so that the first start is the first one
  const CACHE_DIR = join(scratch, `start-${shape}`)
  const job: StartJob = {
    kind: 'start',
    shape,
    folder: folderOf(shape, modelsDir),
    settings: { ...settingsOf(where), DTYPES: dtypeOf(shape, flags), CACHE_DIR },
    runs: flags.quick ? 3 : 2,
  }
  return taskOf(`start ${shape}`, job, { limitSeconds: 90 })
}

/** sentence-transformers on the same folder and the same texts, in the same dtype. */
export function peerTask(shape: ShapeName, where: Surroundings): Task {
  const { flags, gpuIndex, modelsDir, scratch } = where
  const device = gpuIndex === undefined ? 'cpu' : `cuda:${gpuIndex}`
  const options = {
    model: folderOf(shape, modelsDir),
    name: shape,
    texts: textsFileOf(scratch),
    sets: SET_NAMES.join(','),
    dtype: dtypeOf(shape, flags),
    device,
    batch: flags.quick ? '32' : '32,128',
    'round-seconds': flags.quick ? '0.5' : '1',
    vectors: vectorsFileOf(shape, scratch),
    findings: String(FINDINGS_PIPE),
  }
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])
  // CUDA must count GPUs as the other processes do
  const env = { CUDA_DEVICE_ORDER: 'PCI_BUS_ID', HF_HUB_OFFLINE: '1', TOKENIZERS_PARALLELISM: 'true' }
  return {
    name: `peer ${shape}`,
    command: [flags.python, PEER, ...args],
    env,
    limitSeconds: limitOf(shape),
  }
}

function limitOf(shape: ShapeName): number {
  return shape.startsWith('tiny-') ? 60 : 120
}

export function textsFileOf(scratch: string): string {
  return join(scratch, 'texts.json')
}

function settingsOf({ gpuIndex, scratch }: Surroundings): Settings {
  const device =
    gpuIndex === undefined
      ? { EXECUTION_PROVIDER: 'cpu' }
      : { EXECUTION_PROVIDER: 'cuda', DEVICES: String(gpuIndex) }
  return { ...device, HF_HUB_OFFLINE: '1', CACHE_DIR: join(scratch, 'cache') }
}

/** What a GPU would be used with: decoders overflow in fp16. */
function dtypeOf(shape: ShapeName, { cpu }: Flags): WeightDtype {
  if (cpu) return 'fp32'
  return SHAPES[shape].family === 'qwen3' ? 'bf16' : 'fp16'
}

function folderOf(shape: ShapeName, modelsDir: string): string {
  return join(modelsDir, shape)
}

function vectorsFileOf(shape: ShapeName, scratch: string): string {
  return join(scratch, `${shape}.f32`)
}
