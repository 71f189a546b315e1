/** Headers of shared libraries, of files made here and of the real one. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readElf } from '../../../src/devices/elf.ts'
import { THIS_MACHINE } from '../../../src/devices/machine.ts'
import { commitOf, isOfVersion } from '../../../src/devices/provider-files.ts'
import { makeMachine } from './fake-machine.ts'
import { writeElf } from './write-elf.ts'

async function makeFile(content: Buffer | string): Promise<string> {
  const { root } = await makeMachine({ files: { 'lib.so': content } })
  return join(root, 'lib.so')
}

test('names, folders and constants are read from where the headers say', async () => {
  const parts = {
    soname: 'liba.so.1',
    needed: ['libb.so.2', 'libc.so.6'],
    runpath: '$ORIGIN:/opt/x',
    rpath: '/r',
  }
  const path = await makeFile(writeElf({ ...parts, constants: 'constant' }))
  const { constants, ...names } = readElf(path)
  expect(names).toEqual({
    soname: 'liba.so.1',
    needed: ['libb.so.2', 'libc.so.6'],
    runpath: ['$ORIGIN', '/opt/x'],
    rpath: ['/r'],
  })
  expect(constants?.size).toBe('constant'.length)
})

test('a library without name, needs and section table is one all the same', async () => {
  expect(readElf(await makeFile(writeElf()))).toEqual({
    soname: undefined,
    needed: [],
    runpath: [],
    rpath: [],
    constants: undefined,
  })
})

test.each([
  ['text', 'not a library, but long enough to hold a whole header of sixty-four bytes', /is no ELF file/],
  ['another processor', writeElf({ machine: 183 }), /is not made for x86-64/],
  ['32 bits', Buffer.from(writeElf()).fill(1, 4, 5), /is not made for x86-64/],
  ['an empty file', '', /is cut short or damaged/],
  ['half a download', writeElf({ needed: ['libc.so.6'] }).subarray(0, 180), /is cut short or damaged/],
  [
    'a program without dynamic section',
    Buffer.from(writeElf()).fill(9, 64 + 56, 64 + 57),
    /is no shared library/,
  ],
])('%s is refused by name', async (_, content, reason) => {
  const path = await makeFile(content)
  expect(() => readElf(path)).toThrow(reason)
  expect(() => readElf(path)).toThrow(path)
})

test('a version is found as a whole constant only, and is unknown in a stripped file', async () => {
  const path = await makeFile(
    writeElf({ constants: 'Invalid device ID: \x001.30.0\x00cudaSetDevice(id)\x00' }),
  )
  expect(isOfVersion(path, '1.30.0')).toBe(true)
  expect(isOfVersion(path, '1.3')).toBe(false)
  expect(isOfVersion(path, '1.30.1')).toBe(false)
  expect(isOfVersion(await makeFile(writeElf()), '1.30.0')).toBeUndefined()
})

test("ONNX Runtime's own library names its commit", async () => {
  const path = join(THIS_MACHINE.onnxFolder(), 'libonnxruntime.so.1')
  expect(commitOf(path)).toMatch(/^[0-9a-f]{7,40}$/)
  expect(readElf(path).soname).toBe('libonnxruntime.so.1')
  expect(commitOf(await makeFile(writeElf({ constants: 'git-branch=HEAD' })))).toBeUndefined()
})

const OFFSET_FIELD = 24
const SIZE_FIELD = 32

test.each([
  ['lie behind its end', OFFSET_FIELD, 1 << 20],
  ['are more than any library has', SIZE_FIELD, 2 ** 40],
  ['are more than there is', SIZE_FIELD, 1 << 20],
])('a library whose constants %s is damaged', async (_, field, claimed) => {
  const file = writeElf({ constants: '1.30.0\x00' })
  const row = Number(file.readBigUInt64LE(40)) + 64
  file.writeBigUInt64LE(BigInt(claimed), row + field)
  const path = await makeFile(file)
  expect(() => isOfVersion(path, '1.30.0')).toThrow(`${path} is cut short or damaged`)
})
