/** The bundle is taken where it is of the sources as they are, and never else. */
import { appendFile, mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { BUNDLE_SOURCES, findBundle, listSources } from '../../src/find-bundle.js'

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'bundle-'))
  onTestFinished(() => rm(root, { recursive: true }))
  await mkdir(join(root, 'src/engine'), { recursive: true })
  await mkdir(join(root, 'dist'))
  for (const path of ['package.json', 'src/program.ts', 'src/engine/row.ts'])
    await writeFile(join(root, path), path)
  await writeFile(join(root, 'dist', BUNDLE_SOURCES), JSON.stringify(listSources(root)))
})

test('a bundle of the sources as they are is found', () => {
  expect(findBundle(root)).toBe(join(root, 'dist/program.js'))
})

const LATER = new Date(Date.now() + 5000)

test.each<[string, () => Promise<unknown>]>([
  ['a source has grown', () => appendFile(join(root, 'src/engine/row.ts'), ' ')],
  ['a source was changed without growing', () => utimes(join(root, 'src/program.ts'), LATER, LATER)],
  ['there is a new source', () => writeFile(join(root, 'src/engine/new.ts'), '')],
  ['a source is gone', () => rm(join(root, 'src/engine/row.ts'))],
  ['packages may be others', () => appendFile(join(root, 'package.json'), ' ')],
  ['its list is damaged', () => writeFile(join(root, 'dist', BUNDLE_SOURCES), '{')],
  ['there is none', () => rm(join(root, 'dist'), { recursive: true })],
])('it is not taken where %s', async (_, change) => {
  await change()
  expect(findBundle(root)).toBeUndefined()
})

test('what is no source does not count', async () => {
  await writeFile(join(root, 'src/notes.md'), 'notes')
  expect(findBundle(root)).toBeDefined()
})
