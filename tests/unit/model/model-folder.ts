/** Model folders for one test: copies of golden fixtures, changed or damaged, and folders made from nothing. */
import { cp, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'

/** What becomes of a file: bytes and text stand as they are, an object is written as JSON, undefined deletes it. */
export type Files = Readonly<Record<string, Uint8Array | string | object | undefined>>

/** A folder that is gone when the test ends. */
export async function makeFolder(files: Files = {}): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'model-')))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await writeFiles(folder, files)
  return folder
}

/** A copy of a golden fixture's model, named `model`, with files of its own in place of some. */
export async function copyFixture(name: string, files: Files = {}): Promise<string> {
  const folder = join(await makeFolder(), 'model')
  await cp(fixturePath(name), folder, { recursive: true })
  await writeFiles(folder, files)
  return folder
}

/** `name`: of a BERT, or `family/name`. */
export function fixturePath(name: string): string {
  return join(import.meta.dirname, '../../golden', name.includes('/') ? '' : 'bert', name, 'model')
}

/** A JSON file of a fixture with some of its keys replaced; those that become undefined are left out. */
export async function patched(name: string, file: string, changes: object): Promise<object> {
  return { ...(await readObject(join(fixturePath(name), file))), ...changes }
}

export async function readObject(path: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>
}

async function writeFiles(folder: string, files: Files): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name)
    await mkdir(dirname(path), { recursive: true })
    if (content === undefined) await rm(path)
    else if (typeof content === 'string' || content instanceof Uint8Array) await writeFile(path, content)
    else await writeFile(path, JSON.stringify(content))
  }
}
