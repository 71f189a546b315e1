/** Where the dynamic loader would find what a library needs. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { driverOfLibrary, findLibraries, suggestFolders } from '../../../src/devices/find-libraries.ts'
import { parseLoaderCache, readLoaderCache } from '../../../src/devices/loader-cache.ts'
import { THIS_MACHINE, parseEnvironment } from '../../../src/devices/machine.ts'
import type { MachineParts } from './fake-machine.ts'
import { makeMachine } from './fake-machine.ts'
import { writeElf } from './write-elf.ts'
import { writeLoaderCache } from './write-loader-cache.ts'

const LIBRARY = writeElf()
const CACHE = writeLoaderCache([{ name: 'libx.so.1', path: '/cached/libx.so.1' }])

/** Path below the root of what is found for libx.so.1; undefined where it is missing. */
async function whereIs(
  main: Parameters<typeof writeElf>[0],
  parts: MachineParts,
): Promise<string | undefined> {
  const files = { 'app/main.so': writeElf({ needed: ['libx.so.1'], ...main }), ...parts.files }
  const machine = await makeMachine({ ...parts, files })
  const { found } = findLibraries(join(machine.root, 'app/main.so'), machine)
  return found.find(({ name }) => name === 'libx.so.1')?.path.slice(machine.root.length + 1)
}

describe('the order of the loader', () => {
  const files = {
    'env/libx.so.1': LIBRARY,
    'app/libx.so.1': LIBRARY,
    'cached/libx.so.1': LIBRARY,
    'etc/ld.so.cache': CACHE,
    'usr/lib/libx.so.1': LIBRARY,
  }
  const startEnv = { LD_LIBRARY_PATH: '/nothing:/env' }

  test('DT_RPATH comes before LD_LIBRARY_PATH', async () => {
    expect(await whereIs({ rpath: '$ORIGIN' }, { files, startEnv })).toBe('app/libx.so.1')
  })

  test('LD_LIBRARY_PATH comes before DT_RUNPATH, which silences DT_RPATH', async () => {
    expect(await whereIs({ rpath: '$ORIGIN', runpath: '$ORIGIN' }, { files, startEnv })).toBe('env/libx.so.1')
  })

  test('DT_RUNPATH comes before the cache', async () => {
    expect(await whereIs({ runpath: '${ORIGIN}' }, { files })).toBe('app/libx.so.1')
  })

  test('the cache comes before the default folders', async () => {
    expect(await whereIs({}, { files })).toBe('cached/libx.so.1')
  })

  test('a file that the cache still names but that is gone is passed over', async () => {
    const { 'cached/libx.so.1': _, ...rest } = files
    expect(await whereIs({}, { files: rest })).toBe('usr/lib/libx.so.1')
  })

  test('a library of another processor is passed over', async () => {
    const foreign = { ...files, 'env/libx.so.1': writeElf({ machine: 183 }) }
    expect(await whereIs({}, { files: foreign, startEnv })).toBe('cached/libx.so.1')
  })

  test('an LD_LIBRARY_PATH that was set after the start does not count', async () => {
    expect(await whereIs({}, { files, env: { LD_LIBRARY_PATH: '/env' } })).toBe('cached/libx.so.1')
  })
})

test('what a found library needs is looked for as well, each name once, and says who needs it', async () => {
  const machine = await makeMachine({
    files: {
      'app/main.so': writeElf({ needed: ['liba.so', 'libb.so'] }),
      'usr/lib/liba.so': writeElf({
        needed: ['libb.so', 'libdeep.so.9', 'libnear.so'],
        runpath: '$ORIGIN/near',
      }),
      'usr/lib/libb.so': writeElf({ needed: ['liba.so'] }),
      'usr/lib/near/libnear.so': LIBRARY,
    },
  })
  const { found, missing } = findLibraries(join(machine.root, 'app/main.so'), machine)
  expect(found.map(({ name }) => name)).toEqual(['liba.so', 'libb.so', 'libnear.so'])
  expect(missing).toEqual([{ name: 'libdeep.so.9', neededBy: 'liba.so' }])
})

test('a DT_RUNPATH silences every DT_RPATH, its own for the libraries that follow too', async () => {
  const machine = await makeMachine({
    files: {
      'app/main.so': writeElf({ needed: ['liba.so', 'libb.so'], rpath: '$ORIGIN/private' }),
      'app/private/liba.so': writeElf({ needed: ['libhidden.so'], runpath: '/elsewhere' }),
      'app/private/libhidden.so': LIBRARY,
      'app/private/libb.so': writeElf({
        needed: ['libc.so'],
        rpath: '$ORIGIN/deep',
        runpath: '$ORIGIN/near',
      }),
      'app/private/near/libc.so': writeElf({ needed: ['libd.so'] }),
      'app/private/deep/libd.so': LIBRARY,
    },
  })
  expect(findLibraries(join(machine.root, 'app/main.so'), machine).missing).toEqual([
    { name: 'libhidden.so', neededBy: 'liba.so' },
    { name: 'libd.so', neededBy: 'libc.so' },
  ])
})

test('a DT_RPATH counts for the libraries of its libraries too', async () => {
  const machine = await makeMachine({
    files: {
      'app/main.so': writeElf({ needed: ['liba.so'], rpath: '$ORIGIN/private' }),
      'app/private/liba.so': writeElf({ needed: ['libb.so'] }),
      'app/private/libb.so': LIBRARY,
    },
  })
  expect(findLibraries(join(machine.root, 'app/main.so'), machine).missing).toEqual([])
})

test('libraries in the folders of pip and of the CUDA toolkit are suggested, as few folders as hold them', async () => {
  const pip = 'opt/venv/lib/python3.12/site-packages/nvidia'
  const machine = await makeMachine({
    env: { VIRTUAL_ENV: '/home/me/env' },
    files: {
      [`${pip}/cu13/lib/libcublas.so.13`]: LIBRARY,
      [`${pip}/cudnn/lib/libcudnn.so.9`]: LIBRARY,
      'home/me/env/lib/python3.11/site-packages/nvidia/cu13/lib/libcurand.so.10': LIBRARY,
      'usr/local/cuda-13.0/lib64/libcudart.so.13': LIBRARY,
      'usr/local/nvidia/lib64/libcudart.so.13': LIBRARY,
      'usr/local/cuda-13.0/lib64/libcurand.so.10': writeElf({ machine: 183 }),
    },
  })
  const missing = ['libcublas.so.13', 'libcurand.so.10', 'libcudart.so.13', 'libcuda.so.1']
  const asked = missing.map((name) => ({ name, neededBy: 'main.so' }))
  expect(suggestFolders(asked, machine)).toEqual([
    '/home/me/env/lib/python3.11/site-packages/nvidia/cu13/lib',
    `/${pip}/cu13/lib`,
    '/usr/local/cuda-13.0/lib64',
  ])
  expect(suggestFolders([], machine)).toEqual([])
})

test("the driver's library names its version, through the link that the loader follows", async () => {
  const { root } = await makeMachine({
    files: { 'lib/libcuda.so.580.65.06': LIBRARY, 'lib/libcuda.so.1.1': LIBRARY },
  })
  await symlink('libcuda.so.580.65.06', join(root, 'lib/libcuda.so.1'))
  expect(driverOfLibrary(join(root, 'lib/libcuda.so.1'))).toBe('580.65.06')
  expect(driverOfLibrary(join(root, 'lib/libcuda.so.1.1'))).toBeUndefined()
  expect(driverOfLibrary(join(root, 'lib/absent'))).toBeUndefined()
})

describe("the loader's cache", () => {
  const entries = [
    { name: 'liba.so.1', path: '/x/liba.so.1' },
    { name: 'liba.so.1', path: '/y/liba.so.1' },
    { name: 'liba.so.1', path: '/lib32/liba.so.1', flags: 0x0803 },
    { name: 'libb.so', path: '/x/libb.so' },
  ]

  test.each([false, true])('is read behind an older table too (%s), without other processors', (older) => {
    expect([...parseLoaderCache(writeLoaderCache(entries, { older }))]).toEqual([
      ['liba.so.1', ['/x/liba.so.1', '/y/liba.so.1']],
      ['libb.so', ['/x/libb.so']],
    ])
  })

  test('that is damaged or not there counts as empty', async () => {
    const { root } = await makeMachine({
      files: { cut: writeLoaderCache(entries).subarray(0, 60), text: 'no cache' },
    })
    for (const name of ['cut', 'text', 'absent']) expect(readLoaderCache(join(root, name)).size).toBe(0)
  })

  test.runIf(THIS_MACHINE.platform === 'linux/x64')('of this machine says what ldconfig prints', () => {
    const printed = spawnSync('ldconfig', ['-p'], { encoding: 'utf8', env: { PATH: '/sbin:/usr/sbin:/bin' } })
    const libc = /^\s*libc\.so\.6 \(libc6,x86-64.*=> (.*)$/m.exec(printed.stdout)?.[1]
    if (libc === undefined) return
    expect(readLoaderCache('/etc/ld.so.cache').get('libc.so.6')).toContain(libc)
  })
})

test.runIf(THIS_MACHINE.platform === 'linux/x64')(
  "what ONNX Runtime's library needs is found on this machine",
  () => {
    const { found, missing } = findLibraries(
      join(THIS_MACHINE.onnxFolder(), 'libonnxruntime.so.1'),
      THIS_MACHINE,
    )
    expect(missing).toEqual([])
    const libc = found.find(({ name }) => name === 'libc.so.6')?.path ?? ''
    expect(readFileSync('/proc/self/maps', 'utf8')).toContain(libc.slice(libc.lastIndexOf('/')))
  },
)

test('an environment is cut at its zero bytes, and a value may hold an equals sign', () => {
  expect(parseEnvironment('A=1\0B=x=y\0C=\0junk\0')).toEqual({ A: '1', B: 'x=y', C: '' })
})
