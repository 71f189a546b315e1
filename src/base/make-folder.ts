import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * A folder and those above it. Node's own recursive `mkdir` (26.10) reports a read-only file system as ENOENT, and never
 * returns where a folder that exists answers ENOENT, as those of `/proc` do.
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return
    if (code !== 'ENOENT' || dirname(path) === path) throw error
    await makeFolder(dirname(path))
    await mkdir(path).catch((again: unknown) => {
      if ((again as NodeJS.ErrnoException).code !== 'EEXIST') throw again
    })
  }
}
