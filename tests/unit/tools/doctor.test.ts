/** The doctor, run for real on this machine, and on machines that are folders. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { hasGpu } from '../../../src/devices/has-gpu.ts'
import { THIS_MACHINE } from '../../../src/devices/machine.ts'
import type { DoctorReport } from '../../../tools/cuda/doctor-report.ts'
import { examine, reasonIn, trySession } from '../../../tools/cuda/doctor-report.ts'
import { runProgram } from '../../../tools/cuda/run-program.ts'
import { describeReport } from '../../../tools/doctor.ts'
import { writeElf } from '../devices/write-elf.ts'
import { makeFolder } from '../model/model-folder.ts'
import { PROVIDER_FOLDER, QUERY, makeMachine, readyFiles, smiRow, uuidOf } from '../devices/fake-machine.ts'

const ROOT = join(import.meta.dirname, '../../..')
const LIMIT_MS = 60_000

async function runDoctor(env: Record<string, string>, ...args: string[]) {
  const clean = { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env }
  return runProgram(process.execPath, [join(ROOT, 'tools/doctor.ts'), ...args], {
    env: clean,
    limitMs: LIMIT_MS,
  })
}

test('settings that start are told so, with what is here', async () => {
  const { exitCode, stdout, stderr } = await runDoctor({ EXECUTION_PROVIDER: 'cpu' })
  expect(stderr).toBe('')
  expect(stdout).toMatch(/^Would use +cpu$/m)
  expect(stdout).toContain(process.version)
  expect(stdout).toMatch(/ONNX Runtime +\d+\.\d+\.\d+, commit [0-9a-f]+/)
  expect(stdout).toMatch(/These settings would start\.\n$/)
  expect(exitCode).toBe(0)
})

test.skipIf(hasGpu(THIS_MACHINE))('a GPU that is asked for but not there ends with exit code 1', async () => {
  const { exitCode, stdout } = await runDoctor({ EXECUTION_PROVIDER: 'cuda' })
  expect(stdout).toMatch(/^GPUs +none visible$/m)
  expect(stdout).toContain(
    'would not start:\n- EXECUTION_PROVIDER=cuda asks for a GPU, but no NVIDIA GPU is visible',
  )
  // whoever reads this has run it
  expect(stdout).not.toContain('npm run doctor')
  expect(exitCode).toBe(1)
})

test('a wrong setting ends with exit code 1 and its name; --json gives the same as data', async () => {
  const { exitCode, stdout } = await runDoctor({ DEVICES: 'gpu0' }, '--json')
  const report = JSON.parse(stdout) as DoctorReport
  expect(report.problems.join()).toContain('DEVICES: "gpu0"')
  expect(report.chosen).toEqual([])
  expect(report.platform).toBe(THIS_MACHINE.platform)
  expect(exitCode).toBe(1)
})

test('an unknown flag ends with exit code 1', async () => {
  const { exitCode, stderr } = await runDoctor({}, '--jsn')
  expect(stderr).toContain('--jsn')
  expect(exitCode).toBe(1)
})

test('GPUs are shown with memory, capability, slices, and the number by which CUDA knows them', async () => {
  const table = smiRow() + smiRow({ place: 1, mig: 'Enabled' }) + smiRow({ place: 2, free: '[GPU is lost]' })
  const list = `GPU 1: x\n  MIG 1g.10gb  Device 0: (UUID: MIG-a1)\n`
  const { [`${PROVIDER_FOLDER}/libonnxruntime_providers_cuda.so`]: _, ...files } = readyFiles()
  const env = { CUDA_VISIBLE_DEVICES: '1' }
  const machine = await makeMachine({ env, files, smi: { [QUERY]: table, '-L': list } })
  const report = await examine(machine, {})
  const text = describeReport(report)
  expect(text).toContain(
    `GPU 0              NVIDIA H100 80GB HBM3, 81559 MiB, 81079 free, compute capability 9.0, ${uuidOf(0)}; not shown to`,
  )
  expect(text).toContain(`${uuidOf(1)}, MIG mode: 1g.10gb MIG-a1; cuda:0`)
  expect(text).toContain('broken: "[GPU is lost]"')
  expect(text).toMatch(/NVIDIA driver +580\.95\.05/)
  expect(text).toContain('not installed: no libonnxruntime_providers_cuda.so; `npm run setup:cuda`')
  expect(text).toContain(`libcurand.so.10    ${machine.root}/usr/lib/x86_64-linux-gnu/libcurand.so.10`)
  expect(text).toMatch(/libcudnn\.so\.9 +not found, and not needed/)
  expect(report.problems.join()).toContain('the CUDA provider is incomplete')
  expect(report.chosen).toEqual([])
})

test("a library that only the provider's own folders lead to is shown where it lies", async () => {
  const cuda = `${PROVIDER_FOLDER}/libonnxruntime_providers_cuda.so`
  const beside = `${PROVIDER_FOLDER}/libcurand.so.10`
  const provider = writeElf({ needed: ['libcurand.so.10'], runpath: '$ORIGIN' })
  const machine = await makeMachine({ files: { [cuda]: provider, [beside]: writeElf() } })
  const { libraries } = await examine(machine, {})
  expect(libraries['libcurand.so.10']).toBe(join(machine.root, beside))
  expect(libraries['libcudart.so.13']).toBeNull()
})

test('where all looks well, a session that cannot be made is a finding', async () => {
  const machine = await makeMachine({ files: readyFiles(), smi: { [QUERY]: smiRow() } })
  const { chosen, trials, problems } = await examine(machine, { DEVICES: '0' })
  expect(chosen).toEqual(['cuda:0'])
  expect(trials.map(({ device }) => device)).toEqual(['cuda:0'])
  const [trial] = trials
  // whatever this machine has: a time or words, and words count as a problem
  expect(problems).toEqual(trial?.failure === undefined ? [] : [`cuda:0: ${trial.failure}`])
})

test('a first session works on the CPU, and says why it does not on a GPU that nobody has', async () => {
  const home = await makeFolder()
  expect(await trySession('cpu', { ...process.env, HOME: home })).toEqual({ ms: expect.any(Number) })
  // ONNX Runtime's telemetry would keep its files there
  expect(await readdir(home)).toEqual([])
  const { ms, failure } = await trySession('99')
  expect(ms).toBeUndefined()
  expect(failure).toMatch(/Failed to load library .*\.so|CUDA failure \d+|[Dd]evice/)
})

test.each([
  [
    '[E:onnxruntime:x, bridge.cc:1] FAIL : Failed to load library /x/p.so with error: libcublas.so.13: cannot open shared object file\n\nError: Append: Failed to load shared library\n',
    'Failed to load library /x/p.so with error: libcublas.so.13: cannot open shared object file',
  ],
  [
    'Error: /src/cuda_call.cc:154 CUDA failure 35: CUDA driver version is insufficient ; GPU=-1 ; hostname=me ; expr=x\n',
    'CUDA failure 35: CUDA driver version is insufficient',
  ],
  ['    throw new Error()\n\nError: something else\n    at x\n', 'something else'],
  ['', undefined],
])('of what a failed session prints, the telling part is kept (%#)', (printed, told) => {
  expect(reasonIn(printed)).toBe(told)
})

test('a program that is ended by a signal, is too slow, or is missing, has no exit code but a reason', async () => {
  const limitMs = LIMIT_MS
  const node = (code: string) => runProgram(process.execPath, ['-e', code], { limitMs })
  expect(await node("process.kill(process.pid, 'SIGSEGV')")).toMatchObject({
    exitCode: undefined,
    failure: 'ended by SIGSEGV',
  })
  const endless = runProgram(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { limitMs: 300 })
  expect(await endless).toMatchObject({ exitCode: undefined, failure: 'ended by SIGKILL' })
  expect(await runProgram('no-such-program', [], { limitMs })).toMatchObject({
    failure: 'spawn no-such-program ENOENT',
  })
})
