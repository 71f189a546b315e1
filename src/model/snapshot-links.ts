/** In the cache of the hub, the files of a snapshot are links into the blobs beside it, and nowhere else. */
import { readdir, readlink, realpath } from 'node:fs/promises'
import { join, relative, resolve, sep } from 'node:path'
import { ServerError } from '../errors.ts'

const SNAPSHOT = /^(.*\/models--[^/]+)\/snapshots\/[^/]+$/

/**
 * Throws `model_invalid` for a link of a snapshot that leads out of its model's folder in the cache: no download puts one
 * there. Any other folder is its owner's, who may link as he likes.
 */
export async function expectOwnLinks(folder: string, model: string): Promise<void> {
  const root = SNAPSHOT.exec(folder)?.[1]
  if (root === undefined) return
  // a volume may be mounted under one name and linked to under another
  const roots = [root, await realpath(root)]
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isSymbolicLink()) continue
    const path = join(entry.parentPath, entry.name)
    // to its end, for one link may lead to another; one that ends nowhere is judged by where it points
    const target = await realpath(path).catch(async () => resolve(entry.parentPath, await readlink(path)))
    if (roots.some((own) => target.startsWith(own + sep))) continue
    throw new ServerError(
      'model_invalid',
      `${model}: ${relative(folder, path)} is a link to ${target}, outside ${root}: a cache of the hub holds no such link`,
    )
  }
}
