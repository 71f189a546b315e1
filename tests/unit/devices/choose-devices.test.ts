/** Which devices are used, on machines whose driver's answers are written down here. */
import { describe, expect, test } from 'vitest'
import { chooseDevices } from '../../../src/devices/choose-devices.ts'
import type { DeviceSettings } from '../../../src/devices/choose-devices.ts'
import { THIS_MACHINE } from '../../../src/devices/machine.ts'
import type { FakeMachine, MachineParts } from './fake-machine.ts'
import { PROVIDER, QUERY, makeMachine, readyFiles, smiRow, uuidOf } from './fake-machine.ts'
import { writeElf } from './write-elf.ts'

const AUTO: DeviceSettings = { executionProvider: 'auto', devices: 'auto' }
const CUDA: DeviceSettings = { executionProvider: 'cuda', devices: 'auto' }
const CPU_ONLY = [{ kind: 'cpu' }]
const H100 = {
  kind: 'cuda',
  index: 0,
  name: 'NVIDIA H100 80GB HBM3',
  totalBytes: 81_559 * 1_048_576,
  freeBytes: 81_079 * 1_048_576,
  computeCapability: 90,
}
const TWO_GPUS = smiRow() + smiRow({ place: 1, name: 'NVIDIA L4', total: '23034', capability: '8.9' })

/** A machine where all is well, but for what `parts` changes; a file that is undefined is left out. */
function readyMachine(
  table: string,
  {
    files = {},
    ...parts
  }: Omit<MachineParts, 'files'> & { files?: Record<string, Buffer | string | undefined> } = {},
): Promise<FakeMachine> {
  const kept = Object.entries({ ...readyFiles(), ...files }).flatMap(([path, content]) =>
    content === undefined ? [] : [[path, content] as const],
  )
  return makeMachine({ smi: { [QUERY]: table }, ...parts, files: Object.fromEntries(kept) })
}

/** The message of the refusal. */
async function refusalOf(settings: DeviceSettings, machine: FakeMachine): Promise<string> {
  const error = await chooseDevices(settings, machine).then(
    (devices) => expect.fail(`chose ${JSON.stringify(devices)}`),
    (error: unknown) => error,
  )
  expect(error).toMatchObject({ name: 'ServerError', code: 'provider_unavailable' })
  return (error as Error).message
}

describe('a machine without a GPU', () => {
  test('computes on the CPU, and starts no program to find out', async () => {
    const machine = await makeMachine()
    expect(await chooseDevices(AUTO, machine)).toEqual(CPU_ONLY)
    expect(machine.commands).toEqual([])
  })

  test('refuses what asks for one, and says how to do without', async () => {
    const machine = await makeMachine()
    expect(await refusalOf(CUDA, machine)).toContain(
      'EXECUTION_PROVIDER=cuda asks for a GPU, but no NVIDIA GPU',
    )
    const message = await refusalOf({ executionProvider: 'auto', devices: [0, 1] }, machine)
    expect(message).toContain('DEVICES=0,1 asks for a GPU')
    expect(message).toContain('npm run doctor')
    expect(message).toContain('EXECUTION_PROVIDER=cpu')
  })

  test("of Windows' Linux counts as one unless NVIDIA's library is there: other makers' GPUs look the same", async () => {
    const files = { 'dev/dxg': '' }
    expect(await chooseDevices(AUTO, await makeMachine({ files }))).toEqual(CPU_ONLY)
  })

  test('whose driver was loaded for another container computes on the CPU', async () => {
    const table = { exitCode: 6, stdout: 'No devices were found\n' }
    const machine = await makeMachine({ files: { 'dev/nvidiactl': '' }, smi: { [QUERY]: table } })
    expect(await chooseDevices(AUTO, machine)).toEqual(CPU_ONLY)
    expect(await refusalOf(CUDA, machine)).toContain('the driver lists none')
  })
})

describe('a machine with an H100', () => {
  test.each([AUTO, CUDA, { executionProvider: 'auto', devices: [0] } as const])(
    'uses it, with what its driver tells of it (%o)',
    async (settings) => {
      expect(await chooseDevices(settings, await readyMachine(smiRow()))).toEqual([H100])
    },
  )

  test.each([
    { executionProvider: 'cpu', devices: 'auto' },
    { executionProvider: 'auto', devices: 'cpu' },
  ] as const)('leaves it alone where the CPU is asked for, and asks nobody (%o)', async (settings) => {
    const machine = await readyMachine(smiRow())
    expect(await chooseDevices(settings, machine)).toEqual(CPU_ONLY)
    expect(machine.commands).toEqual([])
  })

  test('uses it under Windows too, whose nvidia-smi is on no PATH', async () => {
    const {
      'dev/nvidiactl': _,
      'dev/nvidia0': __,
      'proc/driver/nvidia/version': ___,
      ...files
    } = readyFiles()
    const wsl = { 'dev/dxg': '', 'usr/lib/wsl/lib/libcuda.so.1': writeElf() }
    const machine = await makeMachine({ files: { ...files, ...wsl } })
    const run: FakeMachine['run'] = (command) =>
      Promise.resolve(
        command.startsWith('/usr/lib/wsl/')
          ? { exitCode: 0, stdout: smiRow(), stderr: '' }
          : { exitCode: undefined, failure: 'missing', stdout: '', stderr: '' },
      )
    expect(await chooseDevices(AUTO, { ...machine, run })).toEqual([H100])
    // there is no kernel module to ask
    const old: FakeMachine['run'] = () =>
      Promise.resolve({ exitCode: 0, stdout: smiRow({ driver: '572.16' }), stderr: '' })
    expect(await refusalOf(AUTO, { ...machine, run: old })).toContain('the NVIDIA driver 572.16 is too old')
  })
})

describe('two unlike GPUs', () => {
  const indexAndName = async (settings: DeviceSettings, env: Record<string, string> = {}) => {
    const devices = await chooseDevices(settings, await readyMachine(TWO_GPUS, { env }))
    return devices.map((device) => (device.kind === 'cuda' ? [device.index, device.name] : device.kind))
  }

  test('are both used, or those of DEVICES in its order', async () => {
    expect(await indexAndName(AUTO)).toEqual([
      [0, H100.name],
      [1, 'NVIDIA L4'],
    ])
    expect(await indexAndName({ executionProvider: 'auto', devices: [1, 0] })).toEqual([
      [1, 'NVIDIA L4'],
      [0, H100.name],
    ])
  })

  test('are counted anew behind CUDA_VISIBLE_DEVICES, as CUDA does', async () => {
    expect(await indexAndName(AUTO, { CUDA_VISIBLE_DEVICES: '1' })).toEqual([[0, 'NVIDIA L4']])
    expect(
      await indexAndName(CUDA, { CUDA_VISIBLE_DEVICES: `${uuidOf(1).slice(0, 8)},${uuidOf(0)}` }),
    ).toEqual([
      [0, 'NVIDIA L4'],
      [1, H100.name],
    ])
  })

  test.each(['', ' ', '-1', 'none', 'NoDevFiles'])(
    'are left alone where CUDA_VISIBLE_DEVICES is "%s"',
    async (value) => {
      const machine = await readyMachine(TWO_GPUS, { env: { CUDA_VISIBLE_DEVICES: value } })
      expect(await chooseDevices(AUTO, machine)).toEqual(CPU_ONLY)
      expect(await refusalOf(CUDA, machine)).toContain(`CUDA_VISIBLE_DEVICES="${value}" hides all`)
    },
  )

  test('are listed where CUDA_VISIBLE_DEVICES names none of them, which nobody can have meant', async () => {
    const machine = await readyMachine(TWO_GPUS, { env: { CUDA_VISIBLE_DEVICES: 'GPU-77' } })
    const message = await refusalOf(AUTO, machine)
    expect(message).toContain('"GPU-77" names none')
    expect(message).toContain(`GPU 1 (NVIDIA L4) ${uuidOf(1)}`)
  })

  test('are listed where DEVICES names others', async () => {
    const message = await refusalOf(
      { executionProvider: 'cuda', devices: [0, 2, 5] },
      await readyMachine(TWO_GPUS),
    )
    expect(message).toContain(
      'there is no GPU 2, no GPU 5; CUDA shows GPU 0 (NVIDIA H100 80GB HBM3), GPU 1 (NVIDIA L4)',
    )
  })

  test('cannot be told apart when CUDA counts them by speed; like ones can', async () => {
    const env = { CUDA_DEVICE_ORDER: 'FASTEST_FIRST' }
    expect(await refusalOf(AUTO, await readyMachine(TWO_GPUS, { env }))).toContain(
      'CUDA_DEVICE_ORDER="FASTEST_FIRST"',
    )
    const alike = smiRow() + smiRow({ place: 1 })
    expect(await chooseDevices(AUTO, await readyMachine(alike, { env }))).toHaveLength(2)
    expect(await indexAndName(AUTO, { CUDA_DEVICE_ORDER: 'PCI_BUS_ID' })).toHaveLength(2)
  })

  test('one of which has no code in the provider end the start, unless DEVICES leaves it out', async () => {
    const table = smiRow({ name: 'NVIDIA B200', capability: '10.0' }) + smiRow({ place: 1 })
    const message = await refusalOf(AUTO, await readyMachine(table))
    expect(message).toContain('GPU 0 (NVIDIA B200) has compute capability 10.0')
    expect(message).toContain('7.5, 8.0, 8.6, 8.9, 9.0, 12.0')
    expect(message).toContain('DEVICES=1 uses the others')
    expect(await chooseDevices({ ...AUTO, devices: [1] }, await readyMachine(table))).toEqual([
      { ...H100, index: 1 },
    ])
  })

  test('one of which is broken end the start, unless it is left out', async () => {
    const table = smiRow() + smiRow({ place: 1, free: '[GPU is lost]' })
    const message = await refusalOf(AUTO, await readyMachine(table))
    expect(message).toContain('"[GPU is lost]"')
    expect(message).toContain(`CUDA_VISIBLE_DEVICES=${uuidOf(0)} leaves it out`)
    const env = { CUDA_VISIBLE_DEVICES: uuidOf(0) }
    expect(await chooseDevices(AUTO, await readyMachine(table, { env }))).toEqual([H100])
  })

  test('one of which is not even listed end the start, unless the other is named by what cannot be mistaken', async () => {
    const lost = 'Unable to determine the device handle for GPU1: 0000:C1:00.0: Unknown Error'
    const table = `${smiRow()}${lost}\n`
    const message = await refusalOf(AUTO, await readyMachine(table))
    expect(message).toContain(lost)
    expect(message).toContain(`CUDA_VISIBLE_DEVICES=${uuidOf(0)}`)
    const byNumber = { CUDA_VISIBLE_DEVICES: '0' }
    expect(await refusalOf(AUTO, await readyMachine(table, { env: byNumber }))).toContain(lost)
    const byName = { CUDA_VISIBLE_DEVICES: uuidOf(0) }
    expect(await chooseDevices(AUTO, await readyMachine(table, { env: byName }))).toEqual([H100])
  })

  test('are used despite a warning that costs nothing', async () => {
    const warning = 'WARNING: infoROM is corrupted at gpu 0000:3B:00.0\n'
    expect(await chooseDevices(AUTO, await readyMachine(TWO_GPUS + warning))).toHaveLength(2)
  })
})

describe('a GPU in MIG mode', () => {
  const LIST =
    `GPU 0: NVIDIA H100 80GB HBM3 (UUID: ${uuidOf(0)})\n` +
    '  MIG 1g.10gb     Device  0: (UUID: MIG-11111111-aaaa-5de3-91c7-45d71c87eb3f)\n' +
    '  MIG 3g.40gb     Device  1: (UUID: MIG-22222222-bbbb-5bec-b243-5985ef7c9beb)\n'
  // inside a container that has one slice nothing is said of the whole
  const table = smiRow({
    mig: 'Enabled',
    total: '[Insufficient Permissions]',
    free: '[Insufficient Permissions]',
  })
  const sliceOf = (profile: string, memory: number) => [
    { ...H100, name: `${H100.name} MIG ${profile}`, totalBytes: memory, freeBytes: memory },
  ]

  test('is used by its first slice, the only one that a process sees', async () => {
    const smi = { [QUERY]: table, '-L': LIST }
    expect(await chooseDevices(AUTO, await readyMachine('', { smi }))).toEqual(sliceOf('1g.10gb', 10e9))
    const message = await refusalOf({ ...AUTO, devices: [1] }, await readyMachine('', { smi }))
    expect(message).toContain('CUDA shows GPU 0 (NVIDIA H100 80GB HBM3 MIG 1g.10gb)')
  })

  test('is used by the slice that CUDA_VISIBLE_DEVICES names', async () => {
    const env = { CUDA_VISIBLE_DEVICES: 'MIG-2222' }
    const machine = await readyMachine('', { env, smi: { [QUERY]: table, '-L': LIST } })
    expect(await chooseDevices(AUTO, machine)).toEqual(sliceOf('3g.40gb', 40e9))
  })

  test('hides whole GPUs', async () => {
    const smi = { [QUERY]: smiRow({ mig: 'Enabled' }) + smiRow({ place: 1 }), '-L': LIST }
    expect(await chooseDevices(AUTO, await readyMachine('', { smi }))).toEqual(sliceOf('1g.10gb', 10e9))
  })

  test('that was not cut yet ends the start', async () => {
    const smi = { [QUERY]: table, '-L': LIST.split('\n')[0] ?? '' }
    expect(await refusalOf(AUTO, await readyMachine('', { smi }))).toContain('in MIG mode and has no slices')
  })
})

describe('a GPU that CUDA cannot use', () => {
  test('for an old driver: says which, and which is needed', async () => {
    const version = 'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build\n'
    const machine = await readyMachine(smiRow({ driver: '570.86.15' }), {
      files: { 'proc/driver/nvidia/version': version },
    })
    const message = await refusalOf(AUTO, machine)
    expect(message).toContain('the NVIDIA driver 570.86.15 is too old for CUDA 13: install 580 or newer')
  })

  test('for a driver so old that its nvidia-smi knows no compute capability: says that alone', async () => {
    const version =
      'NVRM version: NVIDIA UNIX x86_64 Kernel Module  470.57.02  Tue Jul 13 16:14:05 UTC 2021\n'
    const smi = { [QUERY]: { exitCode: 2, stdout: 'Field "compute_cap" is not a valid field to query.\n' } }
    const machine = await readyMachine('', { smi, files: { 'proc/driver/nvidia/version': version } })
    const message = await refusalOf(AUTO, machine)
    expect(message).toContain('470.57.02 is too old')
    expect(message).not.toContain('compute_cap')
  })

  test('does use an old driver where a newer library stands in for it', async () => {
    const version = 'NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar 5 22:23:56 UTC 2024\n'
    const compat = 'usr/local/cuda-13.0/compat/libcuda.so.580.65.06'
    const { symlink } = await import('node:fs/promises')
    const machine = await readyMachine(smiRow({ driver: '550.54.15' }), {
      startEnv: { LD_LIBRARY_PATH: '/usr/local/cuda-13.0/compat' },
      files: { 'proc/driver/nvidia/version': version, [compat]: writeElf() },
    })
    await symlink('libcuda.so.580.65.06', `${machine.root}/usr/local/cuda-13.0/compat/libcuda.so.1`)
    expect(await chooseDevices(AUTO, machine)).toEqual([H100])
  })

  test.each(['5.2', '7.0', '9.5', '10.0', '10.3', '12.1'])(
    'for its compute capability %s: another GPU is needed',
    async (capability) => {
      const message = await refusalOf(AUTO, await readyMachine(smiRow({ capability })))
      expect(message).toContain(`compute capability ${capability}`)
      expect(message).toContain('another GPU is needed')
    },
  )

  test.each(['7.5', '8.0', '8.6', '8.7', '8.9', '9.0', '12.0'])(
    'does use one of compute capability %s',
    async (capability) => {
      const [device] = await chooseDevices(AUTO, await readyMachine(smiRow({ capability })))
      expect(device).toMatchObject({ computeCapability: Number(capability) * 10 })
    },
  )

  test('for want of the provider: names the file and the command that brings it', async () => {
    const message = await refusalOf(AUTO, await readyMachine(smiRow(), { files: { [PROVIDER]: undefined } }))
    expect(message).toContain('lacks libonnxruntime_providers_cuda.so;')
    expect(message).toContain('npm run setup:cuda')
    const shared = PROVIDER.replace('cuda.so', 'shared.so')
    expect(await refusalOf(AUTO, await readyMachine(smiRow(), { files: { [shared]: undefined } }))).toContain(
      'lacks libonnxruntime_providers_shared.so;',
    )
  })

  test('for a provider of another version, or one cut short', async () => {
    const other = writeElf({ constants: 'x\x001.29.1\x00y' })
    const message = await refusalOf(AUTO, await readyMachine(smiRow(), { files: { [PROVIDER]: other } }))
    expect(message).toContain('is not of ONNX Runtime 1.30.0')
    const cut = other.subarray(0, 150)
    expect(await refusalOf(AUTO, await readyMachine(smiRow(), { files: { [PROVIDER]: cut } }))).toContain(
      'cut short',
    )
  })

  test('for a library that is missing: names it, who needs it, and the packages', async () => {
    const path = 'usr/lib/x86_64-linux-gnu/libcublasLt.so.13'
    const message = await refusalOf(AUTO, await readyMachine(smiRow(), { files: { [path]: undefined } }))
    expect(message).toContain('does not find libcublasLt.so.13 (needed by libonnxruntime_providers_cuda.so)')
    expect(message).toContain('apt-get install libcublas-13-0')
    expect(message).toContain("pip install 'nvidia-cublas==13.*'")
    expect(message).not.toContain('curand')
  })

  test('for a library that pip has put aside: says where the loader must be told to look', async () => {
    const path = 'usr/lib/x86_64-linux-gnu/libcudart.so.13'
    const aside = 'usr/local/lib/python3.12/dist-packages/nvidia/cu13/lib'
    const files = { [path]: undefined, [`${aside}/libcudart.so.13`]: writeElf() }
    const message = await refusalOf(AUTO, await readyMachine(smiRow(), { files }))
    expect(message).toContain(`set LD_LIBRARY_PATH=/${aside} before node starts`)
    expect(message).not.toContain('apt-get')
  })

  test("for want of the driver's library: a container must be given the GPU", async () => {
    const files = { 'usr/lib/x86_64-linux-gnu/libcuda.so.1': undefined }
    expect(await refusalOf(AUTO, await readyMachine(smiRow(), { files }))).toContain('--gpus all')
  })

  test('for want of nvidia-smi: says how a container gets it', async () => {
    const message = await refusalOf(AUTO, await readyMachine('', { smi: {} }))
    expect(message).toContain('NVIDIA_DRIVER_CAPABILITIES=compute,utility')
  })

  test.each([
    [
      'a driver that does not run',
      {
        exitCode: 9,
        stdout: 'NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.\n',
      },
      'could not communicate',
    ],
    [
      'words on standard error',
      { exitCode: 18, stderr: 'Failed to initialize NVML: Driver/library version mismatch\n' },
      'version mismatch',
    ],
    ['no word', { exitCode: 3 }, 'exit code 3'],
    ['no end', { exitCode: undefined, failure: 'timeout' as const }, 'nvidia-smi does not answer'],
    [
      'no GPU where a device file is',
      { exitCode: 6, stdout: 'No devices were found\n' },
      'No devices were found',
    ],
  ])('for %s: repeats what nvidia-smi says', async (_, answer, words) => {
    const message = await refusalOf(AUTO, await readyMachine('', { smi: { [QUERY]: answer } }))
    expect(message).toContain('a GPU is visible, but nothing can be learnt of it')
    expect(message).toContain(words)
  })

  test('on another processor: onnxruntime-node has no provider for it', async () => {
    const message = await refusalOf(AUTO, await readyMachine(smiRow(), { platform: 'linux/arm64' }))
    expect(message).toContain('for linux/x64 only, and this is linux/arm64')
  })

  test('for several reasons: names them all at once', async () => {
    const files = { [PROVIDER]: undefined }
    const message = await refusalOf(AUTO, await readyMachine(smiRow({ capability: '7.0' }), { files }))
    expect(message.split('\n')).toHaveLength(3)
  })
})

describe('this machine', () => {
  test('runs commands, and tells one that is missing from one that fails', async () => {
    expect(
      await THIS_MACHINE.run(process.execPath, ['-e', 'console.log(1); console.error(2); process.exit(3)']),
    ).toEqual({
      exitCode: 3,
      stdout: '1\n',
      stderr: '2\n',
    })
    expect(await THIS_MACHINE.run(process.execPath, ['-p', '7'])).toMatchObject({
      exitCode: 0,
      stdout: '7\n',
    })
    expect(await THIS_MACHINE.run('no-such-program-anywhere', [])).toMatchObject({ failure: 'missing' })
    const dies = ['-e', "process.kill(process.pid, 'SIGKILL')"]
    expect(await THIS_MACHINE.run(process.execPath, dies)).toMatchObject({
      exitCode: undefined,
      failure: 'killed',
    })
  })

  test('has ONNX Runtime where it says, in the version that is pinned', async () => {
    const { existsSync, readFileSync } = await import('node:fs')
    expect(
      existsSync(`${THIS_MACHINE.onnxFolder()}/libonnxruntime.so.1`) || process.platform !== 'linux',
    ).toBe(true)
    const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      dependencies: Record<string, string>
    }
    expect(THIS_MACHINE.onnxVersion()).toBe(dependencies['onnxruntime-node'])
  })
})
