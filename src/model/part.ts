/**
 * The beginning of a blob, on its way into the cache. Any number of workers, on several machines, may share the folder,
 * and any may be killed at any moment. Neither locks nor clocks can be trusted there (a volume may grant everybody a
 * flock, and Node has none), so that safety rests on three things alone:
 * - a worker writes to a part of its own name, each byte at its own place, and moves it to `blobs/<etag>` by one rename,
 *   after the bytes that it read and wrote have had the right hash;
 * - what is left by another is taken over by renaming it, which succeeds for one worker only, and going on with a copy;
 * - should the other live after all, it writes to what nobody reads any more, and its own rename fails because its name
 *   is gone.
 * Who waits for whom is a guess from the time of the last write; a wrong guess costs a transfer, never a blob.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { constants, copyFile, open, readdir, rename, stat, unlink, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { makeFolder } from '../base/make-folder.ts'

/** A part that was not written to for longer is nobody's. */
const ABANDONED_MS = 30_000
const HEARTBEAT_MS = 5_000

const HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 8)
/** Tells this process from one that had its number before: after a restart in a container that is the rule. */
const PROCESS = randomBytes(4).toString('hex')

/** `<etag>.<time>-<host>-<process number>-<process>-<random>.incomplete`; Python's own have no dashes. */
const PART_NAME = /\.\d{13}-([0-9a-f]{8})-(\d+)-([0-9a-f]{8})-[0-9a-f]{4}\.incomplete$/

/** Ours to write, or somebody else's, who has `bytes` of it so far. */
export type Claim =
  | { readonly owner: 'self'; readonly part: Part }
  | { readonly owner: 'other'; readonly bytes: number }

/** Takes over what is left of an earlier attempt, or begins anew, unless another worker is at it. Throws what the disk says. */
export async function claimPart(blob: string): Promise<Claim> {
  await makeFolder(dirname(blob))
  const others = await listParts(blob)
  const busy = others.find(({ isBusy }) => isBusy)
  if (busy !== undefined) return { owner: 'other', bytes: busy.bytes }

  const path = newName(blob)
  const [largest] = others.sort((a, b) => b.bytes - a.bytes)
  if (largest !== undefined) {
    try {
      return { owner: 'self', part: await takeOver(largest.path, path, newName(blob)) }
    } catch (error) {
      if (isAbsent(error)) return { owner: 'other', bytes: largest.bytes }
      throw error
    }
  }
  const part = await openPart(path, 'wx+')
  // Two that began at once see each other now: the earlier name stays.
  const earlier = (await listParts(blob)).find((other) => other.isBusy && other.path < path)
  if (earlier === undefined) return { owner: 'self', part }
  await part.discard()
  return { owner: 'other', bytes: earlier.bytes }
}

/** Throws ENOENT where somebody else was faster. */
async function takeOver(left: string, claimed: string, own: string): Promise<Part> {
  await rename(left, claimed)
  const now = new Date()
  await utimes(claimed, now, now)
  await copyFile(claimed, own, constants.COPYFILE_FICLONE)
  await unlink(claimed).catch(() => {})
  return openPart(own, 'r+')
}

async function openPart(path: string, flags: 'r+' | 'wx+'): Promise<Part> {
  const handle = await open(path, flags)
  const now = new Date()
  await handle.utimes(now, now)
  return new Part(path, handle)
}

/** Removes what nobody will go on with, as the blob is there. */
export async function sweepParts(blob: string): Promise<void> {
  for (const { path, isBusy } of await listParts(blob)) if (!isBusy) await unlink(path).catch(() => {})
}

export class Part {
  readonly #path: string
  readonly #handle: FileHandle
  /** A waiting writer must not look like a dead one. */
  readonly #heartbeat: NodeJS.Timeout

  constructor(path: string, handle: FileHandle) {
    this.#path = path
    this.#handle = handle
    this.#heartbeat = setInterval(() => {
      const now = new Date()
      handle.utimes(now, now).catch(() => {})
    }, HEARTBEAT_MS).unref()
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size
  }

  /** The bytes before `end`, in order. */
  read(end: number): AsyncIterable<Buffer> {
    if (end === 0) return emptyStream()
    return this.#handle.createReadStream({ start: 0, end: end - 1, autoClose: false, highWaterMark: 1 << 20 })
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const { bytesWritten } = await this.#handle.write(bytes, at, bytes.length - at, position + at)
      at += bytesWritten
    }
  }

  async clear(): Promise<void> {
    await this.#handle.truncate(0)
  }

  /** Makes it the blob; false where another worker has taken it over. It must not be used after. */
  async finish(blob: string): Promise<boolean> {
    try {
      // A blob is never checked again: it must not be there before its bytes are, whatever happens to the machine.
      await this.#handle.sync()
    } finally {
      await this.#close()
    }
    try {
      await rename(this.#path, blob)
      return true
    } catch (error) {
      if (isAbsent(error)) return false
      throw error
    }
  }

  /** Leaves it to whoever goes on, at once. */
  async release(): Promise<void> {
    await this.#handle.utimes(0, 0).catch(() => {})
    await this.#close()
  }

  async discard(): Promise<void> {
    await this.#close()
    await unlink(this.#path).catch(() => {})
  }

  async #close(): Promise<void> {
    clearInterval(this.#heartbeat)
    await this.#handle.close()
  }
}

interface FoundPart {
  readonly path: string
  readonly bytes: number
  readonly isBusy: boolean
}

async function listParts(blob: string): Promise<FoundPart[]> {
  const parts: FoundPart[] = []
  for (const name of await readdir(dirname(blob))) {
    if (!name.startsWith(`${basename(blob)}.`)) continue
    const owner = PART_NAME.exec(name)
    const path = join(dirname(blob), name)
    const stats = owner && (await stat(path).catch(() => undefined))
    if (!stats) continue
    const [, host = '', pid = '', started = ''] = owner
    const isRecent = Date.now() - stats.mtimeMs < ABANDONED_MS
    parts.push({ path, bytes: stats.size, isBusy: isRecent && !hasEnded(host, Number(pid), started) })
  }
  return parts
}

/** True where a part's process is known to be gone; elsewhere its last write decides. */
function hasEnded(host: string, pid: number, started: string): boolean {
  if (host !== HOST || started === PROCESS) return false
  if (pid === process.pid) return true
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}

function newName(blob: string): string {
  const random = randomBytes(2).toString('hex')
  return `${blob}.${Date.now()}-${HOST}-${process.pid}-${PROCESS}-${random}.incomplete`
}

function isAbsent(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT'
}

async function* emptyStream(): AsyncGenerator<Buffer> {}
