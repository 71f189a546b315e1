/** Files out of zip archives, of ours and of Python's. */
import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { extractEntry, listZip } from '../../../../tools/cuda/read-zip.ts'
import { makeFolder } from '../../model/model-folder.ts'
import type { ZipFile } from './write-zip.ts'
import { writeZip } from './write-zip.ts'

const LONG = 'a line that repeats\n'.repeat(20_000)

async function extract(files: readonly ZipFile[], name: string, comment?: string): Promise<string> {
  const folder = await makeFolder({ 'a.zip': writeZip(files, comment) })
  const path = join(folder, 'a.zip')
  const entry = (await listZip(path)).find((entry) => entry.name === name)
  if (entry === undefined) throw new Error(`no ${name}`)
  await extractEntry(path, entry, join(folder, 'out'))
  return readFile(join(folder, 'out'), 'utf8')
}

const FILES = [
  { name: 'first/a.txt', content: LONG },
  { name: 'b.bin', content: 'as it is', stored: true },
  { name: 'empty', content: '', stored: true },
  { name: 'last.txt', content: 'last' },
]

test.each(FILES)('$name comes out as it was packed', async ({ name, content }) => {
  expect(await extract(FILES, name)).toBe(content)
})

test('an archive with a comment behind it is read', async () => {
  expect(await extract(FILES, 'last.txt', 'a comment')).toBe('last')
})

test('an archive that Python wrote is read', async ({ skip }) => {
  const folder = await makeFolder({ 'x.txt': LONG })
  const python = spawnSync('python3', ['-m', 'zipfile', '-c', 'a.zip', 'x.txt'], { cwd: folder })
  if (python.status !== 0) skip('there is no Python')
  const [entry] = await listZip(join(folder, 'a.zip'))
  if (entry === undefined) throw new Error('no entry')
  await extractEntry(join(folder, 'a.zip'), entry, join(folder, 'out'))
  expect(await readFile(join(folder, 'out'), 'utf8')).toBe(LONG)
})

test('bytes that do not fit their checksum are refused', async () => {
  await expect(extract([{ name: 'a', content: 'abc', crc: 7 }], 'a')).rejects.toThrow('checksum does not fit')
})

test('another way of packing is named', async () => {
  await expect(extract([{ name: 'a', content: 'abc', method: 12 }], 'a')).rejects.toThrow('method 12')
})

test('what is cut short, or no archive, or one of 64 bits, is refused by name', async () => {
  const whole = writeZip(FILES)
  const large = Buffer.from(whole)
  large.writeUInt32LE(0xffffffff, whole.length - 6)
  const broken = Buffer.from(whole)
  broken.writeUInt32LE(0, whole.readUInt32LE(whole.length - 6))
  const files = { cut: whole.subarray(0, -30), large, broken, text: 'no archive' }
  const folder = await makeFolder(files)
  await expect(listZip(join(folder, 'cut'))).rejects.toThrow('no complete zip archive')
  await expect(listZip(join(folder, 'text'))).rejects.toThrow('no complete zip archive')
  await expect(listZip(join(folder, 'large'))).rejects.toThrow('64-bit kind')
  await expect(listZip(join(folder, 'broken'))).rejects.toThrow('entry 0 of its directory is none')
})

test('a file that is there already is not overwritten', async () => {
  const folder = await makeFolder({ 'a.zip': writeZip(FILES), out: 'mine' })
  const [entry] = await listZip(join(folder, 'a.zip'))
  if (entry === undefined) throw new Error('no entry')
  await expect(extractEntry(join(folder, 'a.zip'), entry, join(folder, 'out'))).rejects.toThrow('EEXIST')
  expect(await readFile(join(folder, 'out'), 'utf8')).toBe('mine')
})
