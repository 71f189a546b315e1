import { mkdir, readdir, rename, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { copyFixture } from './model-folder.ts'

/** The fixture in a cache of the hub, every file a link to its blob. */
export async function asSnapshot(fixture: string): Promise<string> {
  const plain = await copyFixture(fixture)
  const model = join(dirname(plain), 'hub/models--org--name')
  const snapshot = join(model, 'snapshots/0123')
  await mkdir(join(model, 'blobs'), { recursive: true })
  for (const entry of await readdir(plain, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const name = path.slice(plain.length + 1)
    const link = join(snapshot, name)
    const blob = join(model, 'blobs', `blob-of-${name.replaceAll('/', '-')}`)
    await mkdir(dirname(link), { recursive: true })
    await rename(path, blob)
    await symlink(blob, link)
  }
  return snapshot
}
