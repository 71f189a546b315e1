import { readFile } from 'node:fs/promises'
import { posix } from 'node:path'
import type { Log } from '../base/log.ts'
import { ServerError } from '../errors.ts'
import type { FetchProgress } from './fetch-progress.ts'
import type { HubFile } from './hub-cache.ts'
import { blobPath, hasSize } from './hub-cache.ts'
import type { Hub } from './hub-request.ts'
import { linkSnapshot } from './link-snapshot.ts'
import { neededFiles } from './needed-files.ts'
import { transfer } from './transfer.ts'
import { WEIGHTS, noWeights } from './weight-files.ts'

export interface SnapshotOptions {
  readonly hub: Hub
  readonly commit: string
  /** See `RepositoryView`. */
  readonly exports: readonly string[]
  /** The model's folder in the cache. */
  readonly folder: string
  readonly progress: FetchProgress
  readonly log: Log
}

/** Transfers at a time: one seldom fills a line, and many are throttled. */
const LANES = 4

/**
 * Brings the needed files of a listing into the cache; returns the snapshot's folder. Throws `model_invalid` or
 * `model_unsupported` before anything large is fetched where the repository cannot be a model that we read.
 */
export async function fetchSnapshot(listing: readonly HubFile[], options: SnapshotOptions): Promise<string> {
  const { hub, commit, folder, progress, log } = options
  const files = await chooseFiles(listing, options)
  const missing: HubFile[] = []
  // files with the same content are one blob
  for (const file of new Map(files.map((file) => [file.etag, file])).values()) {
    if (!(await hasSize(blobPath(folder, file), file.size))) missing.push(file)
  }
  if (missing.length > 0) {
    const model = hub.model
    const totalBytes = missing.reduce((sum, { size }) => sum + size, 0)
    log('info', { event: 'model_fetching', model, commit, files: missing.length, totalBytes, folder })
    progress.start(totalBytes)
    await transferAll(missing, options, (path, bytes) => progress.report(path, bytes))
    log('info', { event: 'model_fetched', model, bytes: totalBytes, ms: Math.round(progress.end()) })
  }
  return linkSnapshot(folder, commit, files)
}

/** Fetches, as it goes, the small files that name others. */
async function chooseFiles(
  listing: readonly HubFile[],
  options: SnapshotOptions,
): Promise<readonly HubFile[]> {
  const { hub, folder, exports } = options
  const byPath = new Map(listing.map((file) => [file.path, file]))
  const view = {
    model: hub.model,
    has: async (path: string) => byPath.has(path),
    read: async (path: string) => {
      const file = byPath.get(path)
      if (file === undefined || !(await hasSize(blobPath(folder, file), file.size))) return undefined
      return readFile(blobPath(folder, file), 'utf8')
    },
    exports,
  }
  const listed = (path: string): HubFile => {
    const file = byPath.get(path)
    if (file !== undefined) return file
    if (posix.basename(path) !== WEIGHTS) {
      throw new ServerError('model_invalid', `${hub.model}: ${path} is missing`)
    }
    const inFolder = posix.dirname(path)
    const where = inFolder === '.' ? hub.model : `${hub.model}/${inFolder}`
    throw noWeights(
      where,
      [...byPath.keys()].map((other) => posix.relative(inFolder, other)),
    )
  }
  for (;;) {
    const { files, unread } = await neededFiles(view)
    const chosen = files.map(listed)
    if (unread.length === 0) return chosen
    await transferAll(unread.map(listed), options, () => {})
  }
}

/** The largest first, so that no lane is left with one at the end. The first failure stops the others. */
async function transferAll(
  files: readonly HubFile[],
  { hub, commit, folder, log }: SnapshotOptions,
  onBytes: (path: string, bytes: number) => void,
): Promise<void> {
  const stop = new AbortController()
  const stoppable = { ...hub, signal: AbortSignal.any([hub.signal, stop.signal]) }
  const queue = [...files].sort((a, b) => b.size - a.size).values()
  const runLane = async () => {
    for (const file of queue) {
      await transfer(file, stoppable, {
        folder,
        url: fileUrl(hub, commit, file),
        onBytes: (bytes) => onBytes(file.path, bytes),
        onWait: () => log('info', { event: 'fetch_waiting', model: hub.model, file: file.path }),
      })
    }
  }
  const lanes = Array.from({ length: LANES }, () =>
    runLane().catch((error: unknown) => {
      if (!stop.signal.aborted) stop.abort(error)
    }),
  )
  await Promise.all(lanes)
  if (stop.signal.aborted) throw stop.signal.reason
}

function fileUrl({ endpoint, model }: Hub, commit: string, { path }: HubFile): string {
  return `${endpoint}/${model}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`
}
