import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openFile } from '../../../src/model/open-file.ts'
import { expectRefusal } from './expect-refusal.ts'
import { makeFolder } from './model-folder.ts'

test('a file is opened to be read', async () => {
  const handle = await openFile(join(await makeFolder({ a: 'text' }), 'a'))
  expect(await handle.readFile('utf8')).toBe('text')
  await handle.close()
})

test('a pipe that nobody writes to is refused, and so is a folder', async () => {
  const folder = await makeFolder({ 'inner/a': '' })
  execFileSync('mkfifo', [join(folder, 'pipe')])
  await expectRefusal(() => openFile(join(folder, 'pipe')), 'model_invalid', 'pipe is not a regular file')
  await expectRefusal(() => openFile(join(folder, 'inner')), 'model_invalid', 'inner is not a regular file')
})

test('a file that is missing is what the system says', async () => {
  await expect(openFile('/nowhere/at/all')).rejects.toThrow('ENOENT')
})
