/**
 * A folder that holds what is loaded without another look: only this user, or root, may be able to write to it. It is opened
 * once, looked at, and from then on meant by its handle, so that nobody can put another one in its place in between.
 */
import type { FileHandle } from 'node:fs/promises'
import { constants, open } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '../../errors.ts'

export interface PrivateFolder {
  /** Leads to the very folder that was looked at, whatever has its name by now; valid until it is closed. */
  readonly path: string
  readonly close: () => Promise<void>
}

/** Bits of a mode: who is not the owner may write. */
const WRITABLE_BY_OTHERS = 0o022

/** Undefined where there is no such folder. Throws why one that is there cannot be used. `user`: who may own it besides root. */
export async function openPrivate(
  folder: string,
  user = process.geteuid?.(),
): Promise<PrivateFolder | undefined> {
  let handle: FileHandle
  try {
    handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    if (code === 'ELOOP' || code === 'ENOTDIR')
      throw new Error('it is no folder, or a link to one', { cause: error })
    throw new Error(`it cannot be opened (${messageOf(error)})`, { cause: error })
  }
  const problem = findProblem(await handle.stat(), user)
  if (problem !== undefined) {
    await handle.close()
    throw new Error(problem)
  }
  return { path: `/proc/self/fd/${handle.fd}`, close: () => handle.close() }
}

/**
 * A file of such a folder, to be read, which only this user, or root, may write to. Undefined where there is none. Throws why one
 * that is there cannot be used, by its name: a pipe, which has no end, is not waited for.
 */
export async function openPrivateFile(
  folder: string,
  name: string,
  user = process.geteuid?.(),
): Promise<FileHandle | undefined> {
  let handle: FileHandle
  try {
    handle = await open(join(folder, name), constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    if (code === 'ELOOP') throw new Error(`${name} is a link`, { cause: error })
    throw new Error(`${name} cannot be opened (${messageOf(error)})`, { cause: error })
  }
  const stats = await handle.stat()
  const problem = stats.isFile() ? findProblem(stats, user) : 'it is not a regular file'
  if (problem === undefined) return handle
  await handle.close()
  throw new Error(`${name}: ${problem}`)
}

function findProblem(
  { uid, mode }: { readonly uid: number; readonly mode: number },
  user: number | undefined,
): string | undefined {
  if (uid !== 0 && uid !== user) return `it belongs to user ${uid}, not to ${user}`
  if ((mode & WRITABLE_BY_OTHERS) !== 0) return `others may write to it (mode ${(mode & 0o777).toString(8)})`
  return undefined
}
