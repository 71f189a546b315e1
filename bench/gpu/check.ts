/**
 * `npm run gpu:check`: is what this program computes on a GPU right, and how fast is it? See docs/gpu-check.md. Every
 * measurement is a process of its own.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chooseDevices } from '../../src/devices/choose-devices.ts'
import type { CudaDevice } from '../../src/devices/device.ts'
import { inspectCuda } from '../../src/devices/inspect-cuda.ts'
import { THIS_MACHINE } from '../../src/devices/machine.ts'
import { messageOf } from '../../src/errors.ts'
import { findCard } from './cards.ts'
import type { Flags } from './flags.ts'
import { USAGE, readFlags } from './flags.ts'
import { judge } from './judge.ts'
import { readMachine } from './machine-facts.ts'
import type { Surroundings } from './plan.ts'
import { textCounts, textsFileOf } from './plan.ts'
import { formatReport } from './report.ts'
import { Results, resultName } from './results.ts'
import { runAll } from './run-all.ts'
import { endAll } from './run-task.ts'
import { makeTexts } from './texts.ts'

const EXIT_WRONG = 1
const EXIT_NO_GPU = 2
const EXIT_INTERRUPTED = 130

const RESULTS = fileURLToPath(new URL('../results', import.meta.url))

async function main(argv: readonly string[]): Promise<number> {
  const flags = readFlags(argv)
  if (flags === undefined) {
    console.log(USAGE)
    return 0
  }
  const gpu = flags.cpu ? undefined : await findGpu(flags)
  if (gpu === undefined && !flags.cpu) return EXIT_NO_GPU
  const scratch = mkdtempSync(join(tmpdir(), 'gpu-check-'))
  try {
    return await check(flags, gpu, scratch)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** Undefined where none can be used, which is said. */
async function findGpu({ device }: Flags): Promise<CudaDevice | undefined> {
  try {
    const wanted = device === undefined ? 'auto' : [device]
    const devices = await chooseDevices({ executionProvider: 'auto', devices: wanted })
    const gpu = devices.find(({ kind }) => kind === 'cuda') as CudaDevice | undefined
    if (gpu === undefined) {
      console.error('no GPU was found: nothing is measured; --cpu checks what can be checked on the CPU')
    }
    return gpu
  } catch (error) {
    console.error(`no GPU can be used: ${messageOf(error)}\n--cpu checks what can be checked on the CPU`)
    return undefined
  }
}

async function check(flags: Flags, gpu: CudaDevice | undefined, scratch: string): Promise<number> {
  const gpuId = gpu === undefined ? undefined : (await inspectCuda(THIS_MACHINE)).gpus[gpu.index]?.uuid
  const machine = await readMachine(gpu, gpuId)
  const started = new Date()
  const about = { started: started.toISOString(), command: process.argv.slice(2).join(' '), machine }
  const path = flags.json ?? join(RESULTS, `${resultName(started, machine.device)}.json`)
  const results = new Results(path, about)
  printHead(machine, gpu, results)
  writeFileSync(textsFileOf(scratch), JSON.stringify(makeTexts(textCounts(flags))))
  const modelsDir = flags.modelsDir ?? join(tmpdir(), 'gpu-check-models')
  const where: Surroundings = { flags, gpuIndex: gpu?.index, gpuId, modelsDir, scratch }
  const stop = new AbortController()
  const interrupt = () => {
    stop.abort()
    endAll()
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupt)
  await runAll(where, results, stop.signal)
  const card = gpu === undefined ? undefined : findCard(gpu.name)
  const seconds = Math.round((Date.now() - started.getTime()) / 1000)
  results.finish({ ...about, seconds, interrupted: stop.signal.aborted, peak: card })
  console.log(`\n${formatReport(results.rows, card)}\n\n${seconds} s; ${path}`)
  if (stop.signal.aborted) return EXIT_INTERRUPTED
  const isEmpty = results.rows.every(({ kind }) => kind === 'problem')
  return isEmpty || results.rows.some((row) => judge(row) !== undefined) ? EXIT_WRONG : 0
}

function printHead(
  machine: Readonly<Record<string, unknown>>,
  gpu: CudaDevice | undefined,
  { linesPath }: Results,
): void {
  const { device, processor, cores, node, onnxruntime, load } = machine
  if (gpu === undefined) console.log('no GPU is used: this run says nothing about CUDA')
  console.log(`${String(device)}; ${String(processor)} × ${String(cores)}, load ${Number(load).toFixed(2)}`)
  if (gpu !== undefined) console.log(describeGpu(gpu, machine['gpu']))
  if (Number(load) > Number(cores) / 2) console.log('other programs keep this machine busy: figures are low')
  console.log(`Node ${String(node)}, onnxruntime-node ${String(onnxruntime)}; rows so far: ${linesPath}\n`)
}

function describeGpu({ index, totalBytes, computeCapability }: CudaDevice, facts: unknown): string {
  const { driver_version: driver, 'power.limit': power } = facts as Record<string, unknown>
  const gib = (totalBytes / 2 ** 30).toFixed(0)
  const capability = (computeCapability / 10).toFixed(1)
  return `cuda:${index}, ${gib} GiB, compute capability ${capability}, driver ${String(driver)}, at most ${String(power)}`
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  console.error(messageOf(error))
  process.exitCode = EXIT_WRONG
}
