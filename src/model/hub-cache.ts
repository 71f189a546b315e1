/**
 * The cache layout of huggingface_hub (2.4), shared with Python and with RunPod's cached models:
 * `<hub>/models--org--name/` with `blobs/<etag>`, `snapshots/<commit>/<path>` → `../../blobs/<etag>`, `refs/<revision>`.
 */
import { readFile, readdir, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import type { RepositoryView } from './needed-files.ts'
import { neededFiles } from './needed-files.ts'

export interface HubFolder {
  readonly path: string
  /** Kept by the platform: what lies there is used as it is, without asking the hub for something newer. */
  readonly platform: boolean
}

/** In the order in which they are looked through; the first is where a fetch writes. */
export type HubFolders = readonly [HubFolder, ...HubFolder[]]

/** A file as the hub lists it. */
export interface HubFile {
  readonly path: string
  readonly size: number
  /** SHA-256 of the content, in hex; for a small file that git keeps itself, its git blob id (SHA-1). */
  readonly etag: string
}

export interface Snapshot {
  readonly path: string
  readonly commit: string
  readonly hub: HubFolder
  /** Needed files that are not there. */
  readonly missing: readonly string[]
}

/** The documents of RunPod: Serverless, Model caching. */
const RUNPOD_HUB = '/runpod-volume/huggingface-cache/hub'

export function hubFolders(hfHome: string | undefined): HubFolders {
  const standard = join(homedir(), '.cache', 'huggingface', 'hub')
  const own = hfHome === undefined ? standard : join(hfHome, 'hub')
  const others = [
    { path: RUNPOD_HUB, platform: true },
    { path: standard, platform: false },
  ]
  return [{ path: own, platform: false }, ...others.filter(({ path }) => path !== own)]
}

export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision)
}

/** Where a hub folder keeps a model. */
export function modelFolder(hub: string, name: string): string {
  return join(hub, `models--${name.replaceAll('/', '--')}`)
}

export function blobPath(folder: string, { etag }: HubFile): string {
  return join(folder, 'blobs', etag)
}

/** The snapshot of a revision in each folder that has one, whether it is complete or not. */
export async function findSnapshots(
  folders: readonly HubFolder[],
  { name, revision, exports }: { name: string; revision: string; exports: readonly string[] },
): Promise<readonly Snapshot[]> {
  const found: Snapshot[] = []
  for (const hub of folders) {
    const commit = await findCommit(modelFolder(hub.path, name), revision)
    const snapshot = commit && (await readSnapshot(hub, name, { commit, exports }))
    if (snapshot) found.push(snapshot)
  }
  return found
}

/**
 * The snapshot of a commit, if there is one; `listed` are the files of that commit where the hub has told. Without it the
 * listing that Python left is asked, else the snapshot itself: then an optional file that it lacks is not missed.
 */
export async function readSnapshot(
  hub: HubFolder,
  name: string,
  {
    commit,
    listed,
    exports,
  }: { commit: string; listed?: ReadonlySet<string>; exports: RepositoryView['exports'] },
): Promise<Snapshot | undefined> {
  const folder = modelFolder(hub.path, name)
  const path = join(folder, 'snapshots', commit)
  if (!(await exists(path))) return undefined
  const names = listed ?? (await readTree(folder, commit))
  const here = (file: string) => exists(join(path, file))
  const view = {
    model: name,
    has: async (file: string) => names?.has(file) === true || (await here(file)),
    read: (file: string) => readOptional(join(path, file)),
    exports,
  }
  const missing: string[] = []
  try {
    const { files } = await neededFiles(view)
    for (const file of files) if (!(await here(file))) missing.push(file)
  } catch (error) {
    // a damaged file is as good as none here: the hub has a sound one
    if (!(error instanceof ServerError)) throw error
    missing.push(error.message)
  }
  return { path, commit, hub, missing }
}

async function findCommit(folder: string, revision: string): Promise<string | undefined> {
  if (isCommit(revision)) return revision
  const reference = (await readOptional(join(folder, 'refs', revision)))?.trim()
  if (reference !== undefined) return isCommit(reference) ? reference : undefined
  // RunPod's documents: without refs the only snapshot is meant
  if (revision !== 'main' || (await exists(join(folder, 'refs')))) return undefined
  const snapshots = await readdir(join(folder, 'snapshots')).catch(() => [])
  const commits = snapshots.filter(isCommit)
  return commits.length === 1 ? commits[0] : undefined
}

const Tree = z.looseObject({ format_version: z.literal(1), files: z.record(z.string(), z.unknown()) })

/** What Python keeps of the hub's listing, so that it can tell a snapshot from the beginning of one. */
async function readTree(folder: string, commit: string): Promise<ReadonlySet<string> | undefined> {
  const text = await readOptional(join(folder, 'trees', `${commit}.json`))
  try {
    return new Set(Object.keys(Tree.parse(JSON.parse(text ?? '')).files))
  } catch {
    return undefined
  }
}

export async function hasSize(path: string, size: number): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isFile() && stats.size === size,
    () => false,
  )
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

export async function readOptional(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw error
  })
}
