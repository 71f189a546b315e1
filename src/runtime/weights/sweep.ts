/** What is removed so that a folder of kept files does not grow for ever: files of the past, and what a kill left behind. */
import { readdir, rm, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'

interface FileKey {
  readonly owner: string
  readonly digest: string
}

/** Ends the name of a file that is being written. */
export const PART = '.part'
/** Begins the name of a folder for a file that could be kept nowhere; mkdtemp adds six characters. */
export const TEMPORARY = 'embeddings-weights-'

/** A part that was not written to for longer is nobody's. */
export const ABANDONED_MS = 10 * 60_000
/** A file that was asked for since then may be about to be opened, by a process whose model is another version. */
export const IN_USE_MS = 3_600_000
/** No model takes as long to load. */
const LEFT_BEHIND_MS = 24 * 3_600_000

export function fileName({ owner, digest }: FileKey): string {
  return `${owner}-${digest}.bin`
}

/**
 * Removes what killed processes left of the owner's files, and its files of other digests. Who has mapped one of these reads
 * on, for on Linux the bytes of a file last until the last one closes it; who was given its path and has not opened it yet
 * is left the time to. What cannot be removed stays.
 */
export async function sweepFolder(folder: string, { owner, digest }: FileKey): Promise<void> {
  for (const entry of await readdir(folder).catch(() => [])) {
    if (!entry.startsWith(`${owner}-`)) continue
    // An owner's name may begin as another's does.
    const rest = /^([0-9a-f]{32})\.bin(\.[\w-]+\.part)?$/.exec(entry.slice(owner.length + 1))
    if (rest === null) continue
    const isPart = rest[2] !== undefined
    if (!isPart && rest[1] === digest) continue
    const path = join(folder, entry)
    const stats = await stat(path).catch(() => undefined)
    if (stats === undefined) continue
    // Who is at work writes to its part all the time; who finds a file marks it by the time of access.
    const restMs = Date.now() - (isPart ? stats.mtimeMs : Math.max(stats.atimeMs, stats.mtimeMs))
    if (restMs > (isPart ? ABANDONED_MS : IN_USE_MS)) await unlink(path).catch(() => {})
  }
}

/** Removes folders that a killed process could not. */
export async function sweepTemporary(root: string): Promise<void> {
  for (const entry of await readdir(root).catch(() => [])) {
    if (!entry.startsWith(TEMPORARY) || entry.length !== TEMPORARY.length + 6) continue
    const path = join(root, entry)
    const stats = await stat(path).catch(() => undefined)
    if (stats === undefined || Date.now() - stats.mtimeMs <= LEFT_BEHIND_MS) continue
    await rm(path, { recursive: true, force: true }).catch(() => {})
  }
}
