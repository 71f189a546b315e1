/** What is removed so that a folder of prepacked models does not grow for ever. */
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ABANDONED_MS, IN_USE_MS, PART } from '../weights/sweep.ts'
import { FACTS_FILE, WEIGHTS_FILE } from './files.ts'
import type { PrepackedKey } from './key.ts'

export function folderName({ owner, digest }: PrepackedKey): string {
  return `${owner}-${digest}`
}

/** Of a model that is being written; `token` tells who writes it. */
export function partName(key: PrepackedKey, token: string): string {
  return `${folderName(key)}.${token}${PART}`
}

/**
 * Removes what killed processes left of the owner's models, and its models of other digests that nobody has asked for of late.
 * Who has mapped one reads on. Resolves to whether somebody else is writing this very model. What cannot be removed stays.
 */
export async function sweepPrepacked(folder: string, { owner, digest }: PrepackedKey): Promise<boolean> {
  let isBusy = false
  for (const entry of await readdir(folder).catch(() => [])) {
    if (!entry.startsWith(`${owner}-`)) continue
    // An owner's name may begin as another's does.
    const rest = /^([0-9a-f]{32})(\.\w+\.part)?$/.exec(entry.slice(owner.length + 1))
    if (rest === null) continue
    const isPart = rest[2] !== undefined
    if (!isPart && rest[1] === digest) continue
    const path = join(folder, entry)
    const idleMs = Date.now() - (isPart ? await lastWrite(path) : await lastUse(path))
    if (idleMs > (isPart ? ABANDONED_MS : IN_USE_MS)) await remove(path)
    else if (isPart && rest[1] === digest) isBusy = true
  }
  return isBusy
}

/** Removes the parts of whoever had this token: a process that was ended could not. */
export async function removeParts(folder: string, token: string): Promise<void> {
  for (const entry of await readdir(folder).catch(() => []))
    if (entry.endsWith(`.${token}${PART}`)) await remove(join(folder, entry))
}

export async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch(() => {})
}

async function lastWrite(path: string): Promise<number> {
  const times = await Promise.all([path, join(path, WEIGHTS_FILE)].map(timesOf))
  return Math.max(...times.map(({ written }) => written))
}

/** Who finds a model marks its facts by the time of access. */
async function lastUse(path: string): Promise<number> {
  const { written, read } = await timesOf(join(path, FACTS_FILE))
  return Math.max(written, read)
}

async function timesOf(path: string): Promise<{ written: number; read: number }> {
  return stat(path).then(
    ({ mtimeMs, atimeMs }) => ({ written: mtimeMs, read: atimeMs }),
    () => ({ written: 0, read: 0 }),
  )
}
