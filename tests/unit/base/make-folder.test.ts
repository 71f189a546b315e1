import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeFolder } from '../../../src/base/make-folder.ts'
import { makeFolder as makeTemporary } from '../model/model-folder.ts'

test('a folder is made with those above it, and one that is there is left', async () => {
  const path = join(await makeTemporary(), 'a/b/c')
  await Promise.all([makeFolder(path), makeFolder(path)])
  await makeFolder(path)
  expect((await stat(path)).isDirectory()).toBe(true)
})

test('a file in the way is an error', async () => {
  const path = join(await makeTemporary(), 'file')
  await writeFile(path, '')
  await expect(makeFolder(join(path, 'a/b'))).rejects.toThrow('ENOTDIR')
})

test.runIf(process.platform === 'linux')(
  'a file system that refuses is an error, not an endless try',
  async () => {
    await expect(makeFolder('/proc/a/b/c')).rejects.toThrow(/ENOENT|EACCES|EPERM/)
  },
)
