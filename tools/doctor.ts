/** `npm run doctor`: what is there for a GPU, what the present settings would use, and what to do. docs/gpu.md */
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { readDotEnv } from '../src/config.ts'
import { formatCapability } from '../src/devices/gpu.ts'
import { THIS_MACHINE } from '../src/devices/machine.ts'
import { messageOf } from '../src/errors.ts'
import type { DoctorReport } from './cuda/doctor-report.ts'
import { CUDNN, examine } from './cuda/doctor-report.ts'

const LABEL_WIDTH = 17
const MEBIBYTE = 1_048_576

/** As a person reads it; the last line is the verdict. */
export function describeReport(report: DoctorReport): string {
  const { node, platform, onnxruntime, driver, provider, settings, chosen, trials, problems } = report
  const { version, commit, folder } = onnxruntime
  const rows: [string, string][] = [
    ['Node', `${node}, ${platform}`],
    ['ONNX Runtime', `${version}, commit ${commit ?? 'unknown'}, in ${folder}`],
    ['NVIDIA driver', driver ?? 'none found'],
    ...describeGpus(report),
    ['CUDA provider', describeProvider(provider)],
    ...Object.entries(report.libraries).map(([name, path]): [string, string] => [
      name,
      path ?? describeAbsence(name),
    ]),
    ...(settings === undefined ? [] : [['Settings', describeSettings(settings)] as [string, string]]),
    ['Would use', chosen.join(', ') || 'nothing'],
    ...trials.map(({ device, ms, failure }): [string, string] => [
      `Session, ${device}`,
      failure ?? `works, after ${ms} ms`,
    ]),
  ]
  const lines = rows.map(([label, text]) => `${label.padEnd(LABEL_WIDTH)}  ${text}`)
  const verdict =
    problems.length === 0
      ? ['These settings would start.']
      : ['These settings would not start:', ...problems.map((one) => `- ${one}`)]
  return [...lines, '', ...verdict].join('\n')
}

function describeGpus({ gpus, gpuProblems }: DoctorReport): [string, string][] {
  if (gpus.length === 0) return [['GPUs', gpuProblems.join('; ') || 'none visible']]
  const rows = gpus.map(({ place, name, uuid, totalBytes, freeBytes, computeCapability, ...gpu }) => {
    const memory = `${Math.round(totalBytes / MEBIBYTE)} MiB, ${Math.round(freeBytes / MEBIBYTE)} free`
    const slices = gpu.slices?.map(({ profile, uuid }) => `${profile} ${uuid}`).join(', ')
    const mode = slices === undefined ? '' : `, MIG mode: ${slices || 'no slices'}`
    const state = gpu.broken === undefined ? '' : `, broken: "${gpu.broken}"`
    const shown = gpu.cuda ?? 'not shown to this process'
    const capability = `compute capability ${formatCapability(computeCapability)}`
    return [`GPU ${place}`, `${name}, ${memory}, ${capability}, ${uuid}${mode}${state}; ${shown}`] as [
      string,
      string,
    ]
  })
  return [...rows, ...gpuProblems.map((problem): [string, string] => ['GPUs', problem])]
}

function describeProvider({ missing, isOfVersion }: DoctorReport['provider']): string {
  if (missing.length > 0)
    return `not installed: no ${missing.join(', no ')}; \`npm run setup:cuda\` brings it`
  if (isOfVersion === undefined) return 'installed, its version cannot be told'
  return isOfVersion
    ? 'installed, of this version'
    : 'installed, but of another version; `npm run setup:cuda`'
}

function describeAbsence(name: string): string {
  return name === CUDNN ? 'not found, and not needed' : 'not found'
}

function describeSettings({
  executionProvider,
  devices,
  allowTf32,
}: NonNullable<DoctorReport['settings']>): string {
  return `EXECUTION_PROVIDER=${executionProvider}, DEVICES=${String(devices)}, ALLOW_TF32=${allowTf32 ? 1 : 0}`
}

/** As a start reads them: a blank variable is an unset one, and `.env` stands behind the environment. */
async function readEnvironment(): Promise<Record<string, string | undefined>> {
  const dotEnv = await readFile(new URL('../.env', import.meta.url), 'utf8').then(readDotEnv, () => ({}))
  const given = Object.entries(process.env).filter(([, value]) => value?.trim() !== '')
  return { ...dotEnv, ...Object.fromEntries(given) }
}

if (import.meta.main) {
  try {
    const { values } = parseArgs({ options: { json: { type: 'boolean' } } })
    const report = await examine(THIS_MACHINE, await readEnvironment())
    console.log(values.json === true ? JSON.stringify(report, undefined, 2) : describeReport(report))
    process.exitCode = report.problems.length === 0 ? 0 : 1
  } catch (error) {
    console.error(messageOf(error))
    process.exitCode = 1
  }
}
