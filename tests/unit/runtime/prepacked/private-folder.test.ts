import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openPrivate, openPrivateFile } from '../../../../src/runtime/prepacked/private-folder.ts'
import { makeFolder } from '../../model/model-folder.ts'

async function inner(mode: number): Promise<string> {
  const folder = join(await makeFolder(), 'inner')
  await mkdir(folder)
  await chmod(folder, mode)
  return folder
}

test('what is not there is no folder', async () => {
  expect(await openPrivate(join(await makeFolder(), 'none'))).toBeUndefined()
})

test.each([0o700, 0o750, 0o755])('mode %o lets nobody else write', async (mode) => {
  const opened = await openPrivate(await inner(mode))
  expect(opened).toBeDefined()
  await opened?.close()
})

test.each([0o720, 0o702, 0o777, 0o1777])('mode %o lets somebody else write', async (mode) => {
  await expect(openPrivate(await inner(mode))).rejects.toThrow('others may write to it')
})

test('a folder of another user is not taken, one of root is', async () => {
  const folder = await inner(0o700)
  const own = process.geteuid?.() as number
  const opening = openPrivate(folder, own + 1)
  if (own === 0) await (await opening)?.close()
  else await expect(opening).rejects.toThrow(`it belongs to user ${own}, not to ${own + 1}`)
})

test('a file of another user is not taken, one of root is', async () => {
  const folder = await inner(0o700)
  await writeFile(join(folder, 'file'), '')
  const own = process.geteuid?.() as number
  const opening = openPrivateFile(folder, 'file', own + 1)
  if (own === 0) await (await opening)?.close()
  else await expect(opening).rejects.toThrow(`file: it belongs to user ${own}, not to ${own + 1}`)
})

test('a file is none', async () => {
  const path = join(await makeFolder(), 'file')
  await writeFile(path, '')
  await expect(openPrivate(path)).rejects.toThrow('it is no folder')
})

test('once opened, it is the folder that was looked at, whatever takes its name', async () => {
  const folder = await inner(0o700)
  await writeFile(join(folder, 'word'), 'true')
  const opened = await openPrivate(folder)
  onTestFinished(async () => opened?.close())
  await rename(folder, `${folder}-moved`)
  await mkdir(folder)
  await writeFile(join(folder, 'word'), 'false')
  expect(await readFile(join(opened?.path ?? '', 'word'), 'utf8')).toBe('true')
})
