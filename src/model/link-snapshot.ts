import { randomBytes } from 'node:crypto'
import { copyFile, rename, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { makeFolder } from '../base/make-folder.ts'
import type { HubFile } from './hub-cache.ts'
import { blobPath, hasSize, isCommit, readOptional } from './hub-cache.ts'

/**
 * Makes a snapshot of blobs that are all there. Links come last and weights after all else, so that a snapshot that
 * has weights has everything, whenever this is interrupted.
 */
export async function linkSnapshot(
  folder: string,
  commit: string,
  files: readonly HubFile[],
): Promise<string> {
  const snapshot = join(folder, 'snapshots', commit)
  const isWeight = ({ path }: HubFile) => /\.(safetensors|onnx)$/.test(path)
  for (const file of [...files].sort((a, b) => Number(isWeight(a)) - Number(isWeight(b)))) {
    const link = join(snapshot, file.path)
    if (await hasSize(link, file.size)) continue
    await makeFolder(dirname(link))
    await replaceLink(blobPath(folder, file), link)
  }
  return snapshot
}

/** Under a name of its own first: a reader finds the old link or the new one, and two writers do not collide. */
async function replaceLink(blob: string, link: string): Promise<void> {
  const temporary = temporaryName(link)
  try {
    await symlink(relative(dirname(link), blob), temporary)
  } catch {
    // some file systems, and Windows without the right, have no symbolic links
    await copyFile(blob, temporary)
  }
  await rename(temporary, link)
}

/** Notes which commit a branch or tag is at. */
export async function writeReference(folder: string, revision: string, commit: string): Promise<void> {
  if (isCommit(revision)) return
  const path = join(folder, 'refs', revision)
  if ((await readOptional(path)) === commit) return
  await makeFolder(dirname(path))
  const temporary = temporaryName(path)
  await writeFile(temporary, commit)
  await rename(temporary, path)
}

function temporaryName(path: string): string {
  return `${path}.${randomBytes(4).toString('hex')}.tmp`
}
