/**
 * A file that is made once and found again. It is written under a name of its own and renamed when it is whole, so that
 * processes which make the same one at the same time, or are killed over it, do each other no harm.
 */
import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { mkdtemp, realpath, rename, rm, stat, unlink, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeFolder } from '../../base/make-folder.ts'
import { ServerError, messageOf } from '../../errors.ts'
import { PART, TEMPORARY, fileName, sweepFolder, sweepTemporary } from './sweep.ts'

export interface KeptFile {
  /** Absolute, with every symbolic link resolved. */
  readonly path: string
  /** For when the file has been read: removes one that could be kept in a temporary folder only. */
  readonly release: () => Promise<void>
  /** Why the next start will not find it. */
  readonly unkept?: string | undefined
}

export interface FileRequest {
  /** Whose it is: of one owner's files only the newest is kept. */
  readonly owner: string
  /** Of all that its bytes depend on. */
  readonly digest: string
  readonly byteLength: number
  /** A file that is there is replaced, whatever its size. */
  readonly isAnew?: boolean | undefined
  /** Writes all of it, in order. */
  readonly fill: (write: (bytes: Uint8Array) => void) => void
}

/** Throws `load_failed` where neither the folder nor a temporary one takes the file, and what `fill` throws. */
export async function keepFile(folder: string | undefined, request: FileRequest): Promise<KeptFile> {
  const kept = folder === undefined ? 'CACHE_DIR names no folder' : await keepInFolder(folder, request)
  if (typeof kept !== 'string') return kept
  const temporary = await tryTemporary(request)
  if (typeof temporary !== 'string') return { ...temporary, unkept: kept }
  const size = `${(request.byteLength / 1e6).toFixed(0)} MB`
  throw new ServerError(
    'load_failed',
    `there is no place for ${size} of converted weights: ${kept}; ${temporary}; set CACHE_DIR to a folder that has room`,
  )
}

/** The file in this folder, found or made there; why not, where the disk refuses. Throws what `fill` throws. */
export async function keepInFolder(folder: string, request: FileRequest): Promise<KeptFile | string> {
  const path = join(folder, fileName(request))
  try {
    const found = await stat(path).catch(() => undefined)
    await sweepFolder(folder, request)
    if (found?.size === request.byteLength && request.isAnew !== true) {
      // Who sweeps sees that it is in use. On a volume that is read only nobody sweeps.
      await utimes(path, new Date(), found.mtime).catch(() => {})
    } else {
      await makeFolder(folder)
      await writeWhole(path, request, { isKept: true })
    }
    return { path: await realpath(path), release: async () => {} }
  } catch (error) {
    return refusalOf(error, folder)
  }
}

/** In a folder of its own: what others may write to in a shared one is not to be trusted. */
async function tryTemporary(request: FileRequest): Promise<KeptFile | string> {
  const root = tmpdir()
  let folder: string | undefined
  try {
    await sweepTemporary(root)
    folder = await mkdtemp(join(root, TEMPORARY))
    const path = join(folder, fileName(request))
    await writeWhole(path, request, { isKept: false })
    const made = folder
    return { path: await realpath(path), release: () => rm(made, { recursive: true, force: true }) }
  } catch (error) {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true })
    return refusalOf(error, root)
  }
}

async function writeWhole(
  path: string,
  { byteLength, fill }: FileRequest,
  { isKept }: { readonly isKept: boolean },
): Promise<void> {
  const part = `${path}.${process.pid}-${randomBytes(4).toString('hex')}${PART}`
  const file = openSync(part, 'wx', 0o644)
  try {
    let position = 0
    fill((bytes) => {
      for (let done = 0; done < bytes.length;) {
        const written = writeSync(file, bytes, done, bytes.length - done, position)
        done += written
        position += written
      }
    })
    if (position !== byteLength)
      throw new ServerError('internal', `${position} bytes of weights were made, not ${byteLength}`)
    // A machine that fails must not leave a whole name on half a file.
    if (isKept) fsyncSync(file)
    closeSync(file)
    await rename(part, path)
  } catch (error) {
    closeQuietly(file)
    await unlink(part).catch(() => {})
    throw error
  }
}

function closeQuietly(file: number): void {
  try {
    closeSync(file)
  } catch {
    // It was closed before what failed.
  }
}

function refusalOf(error: unknown, folder: string): string {
  const { code } = error as NodeJS.ErrnoException
  if (error instanceof ServerError || typeof code !== 'string') throw error
  return `${folder} cannot be written to (${code}: ${messageOf(error)})`
}
