import type { Log } from '../base/log.ts'
import { ServerError } from '../errors.ts'
import type { RequestedDtype } from './spec.ts'
import { exportPaths, integerUnit } from './export-names.ts'
import { asFetchFailure } from './fetch-failure.ts'
import type { Progress } from './fetch-progress.ts'
import { FetchProgress } from './fetch-progress.ts'
import { fetchSnapshot } from './fetch-snapshot.ts'
import type { HubFile, HubFolders, Snapshot } from './hub-cache.ts'
import { findSnapshots, isCommit, modelFolder, readSnapshot } from './hub-cache.ts'
import type { Hub } from './hub-request.ts'
import { networkFailure, request, withRetries } from './hub-request.ts'
import { writeReference } from './link-snapshot.ts'

export type { Progress } from './fetch-progress.ts'
export { hubFolders } from './hub-cache.ts'

export interface FetchOptions {
  /** As on the hub: `org/name`, or a bare name for a few old ones. */
  readonly name: string
  /** A branch, a tag or a commit; undefined is `main`. */
  readonly revision?: string | undefined
  /** Of exported models the one that suits it is fetched, where there are no weights; undefined is `auto`. */
  readonly dtype?: RequestedDtype
  readonly folders: HubFolders
  readonly endpoint: string
  readonly token?: string | undefined
  /** No network: the caches must have it. */
  readonly offline: boolean
  readonly log: Log
  readonly onProgress?: ((progress: Progress) => void) | undefined
  /** See `ProgressOptions`. */
  readonly initTimeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Milliseconds since the process started. */
  readonly now?: () => number
  /** The wait before a second attempt; each further one is twice as long. */
  readonly backoffMs?: number
}

const ATTEMPTS = 5
const API_TIMEOUT_MS = 15_000

/**
 * The folder of a model's snapshot, for `openFolder`: from a cache, or fetched into the first of `folders`. A cache's is
 * used without a request where nothing newer can be meant (a commit, a cache of the platform, offline), and with a
 * warning where the hub fails. Throws `load_failed` (hub, network, disk), `model_invalid` or `model_unsupported`.
 */
export async function fetchHub(options: FetchOptions): Promise<string> {
  const { name, revision = 'main', dtype = 'auto', folders, offline, log } = options
  expectName(name, revision)
  const exports = exportPaths(dtype, await integerUnit())
  const snapshots = await findSnapshots(folders, { name, revision, exports })
  const cached = snapshots.filter(({ missing }) => missing.length === 0)
  const [usable] = cached
  const final = offline || isCommit(revision) ? usable : cached.find(({ hub }) => hub.platform)
  if (final !== undefined) return useSnapshot(final, options)
  if (offline) throw notCached(options, snapshots)
  try {
    return await fetchNewest(options, { revision, exports, isCached: usable !== undefined })
  } catch (error) {
    const failure = asFetchFailure(error, name, folders[0].path)
    if (usable === undefined || !(failure instanceof ServerError) || failure.code === 'cancelled') {
      throw failure
    }
    // An outage of the hub must not put workers into crash loops.
    log('warn', { event: 'hub_failed', model: name, reason: failure.message, usedCommit: usable.commit })
    return usable.path
  }
}

interface Wanted {
  readonly revision: string
  readonly exports: readonly string[]
  /** Something that could be used is there. */
  readonly isCached: boolean
}

async function fetchNewest(options: FetchOptions, { revision, exports, isCached }: Wanted): Promise<string> {
  const { name, folders, log, onProgress, initTimeoutMs, now = () => performance.now() } = options
  const hub = openHub(options, revision)
  const { commit, listed } = await resolve(isCached ? { ...hub, attempts: 1 } : hub)
  const folder = modelFolder(folders[0].path, name)
  for (const place of folders) {
    const snapshot = await readSnapshot(place, name, { commit, listed, exports })
    if (snapshot?.missing.length !== 0) continue
    // a cache that cannot be written to serves as well
    if (place === folders[0]) await writeReference(folder, revision, commit).catch(() => {})
    return useSnapshot(snapshot, options)
  }
  const progress = new FetchProgress({ model: name, log, onProgress, initTimeoutMs, now })
  const listing = await list(hub, commit)
  const path = await fetchSnapshot(listing, { hub, commit, exports, folder, progress, log })
  await writeReference(folder, revision, commit)
  return path
}

function openHub(
  { name, endpoint, token, signal, log, backoffMs = 500 }: FetchOptions,
  revision: string,
): Hub {
  return {
    model: name,
    revision,
    endpoint: endpoint.replace(/\/+$/, ''),
    token,
    signal: signal ?? new AbortController().signal,
    attempts: ATTEMPTS,
    backoffMs,
    onRetry: (reason, waitMs) => log('warn', { event: 'fetch_retry', model: name, reason, waitMs }),
  }
}

/** The commit that a revision is at, and the names of its files; none where a mirror does not tell. */
async function resolve(hub: Hub): Promise<{ commit: string; listed: ReadonlySet<string> }> {
  const { modelInfo } = await import('@huggingface/hub')
  const { sha, filePaths } = await callApi(hub, (fetch) =>
    modelInfo({
      name: hub.model,
      revision: hub.revision,
      hubUrl: hub.endpoint,
      additionalFields: ['sha', 'filePaths'],
      fetch,
    }),
  )
  if (typeof sha !== 'string' || !isCommit(sha)) {
    throw new ServerError('load_failed', `${hub.model}: ${hub.endpoint} names no commit of it`)
  }
  return { commit: sha, listed: new Set(filePaths) }
}

async function list(hub: Hub, commit: string): Promise<readonly HubFile[]> {
  const { listFiles } = await import('@huggingface/hub')
  const repo = { type: 'model', name: hub.model } as const
  return callApi(hub, async (fetch) => {
    const files: HubFile[] = []
    const entries = listFiles({ repo, revision: commit, recursive: true, hubUrl: hub.endpoint, fetch })
    for await (const { type, path, size, oid, lfs } of entries) {
      if (type !== 'file') continue
      files.push(expectSafe({ path, size: lfs?.size ?? size, etag: lfs?.oid ?? oid ?? '' }, hub))
    }
    return files
  })
}

/**
 * The library builds addresses and follows pages. The token and the errors are ours: it takes tokens of huggingface.co only,
 * and loses the headers that tell a gated model from a missing one.
 */
async function callApi<R>(hub: Hub, call: (fetch: typeof globalThis.fetch) => Promise<R>): Promise<R> {
  return withRetries(hub, async () => {
    try {
      return await call((input) => {
        const url = input instanceof Request ? input.url : input.toString()
        const headers = { accept: 'application/json' }
        return request(hub, url, { headers, signal: AbortSignal.timeout(API_TIMEOUT_MS) })
      })
    } catch (error) {
      throw networkFailure(hub, new URL(hub.endpoint).host, error)
    }
  })
}

function useSnapshot({ path, commit }: Snapshot, { name, log }: FetchOptions): string {
  log('info', { event: 'model_cached', model: name, commit, folder: path })
  return path
}

function notCached({ name, folders }: FetchOptions, [snapshot]: readonly Snapshot[]): ServerError {
  const what =
    snapshot === undefined
      ? `is not in ${folders.map(({ path }) => path).join(', ')}`
      : `lacks ${snapshot.missing.join(', ')} in ${snapshot.path}`
  return new ServerError('load_failed', `${name}: it ${what}, and HF_HUB_OFFLINE forbids to fetch it`)
}

/** Both become parts of paths and addresses. */
function expectName(name: string, revision: string): void {
  const isName = /^[\w.-]+(?:\/[\w.-]+)?$/.test(name) && !/\.\.|--|^[.-]|\/[.-]/.test(name)
  if (!isName) {
    throw new ServerError('model_invalid', `"${name}" is no name of a model on the hub, such as org/name`)
  }
  if (/^[\w.-]+(?:\/[\w.-]+)*$/.test(revision) && !/(?:^|\/)\.{1,2}(?:\/|$)/.test(revision)) return
  throw new ServerError(
    'model_invalid',
    `${name}: "${revision}" is no revision: a branch, a tag or a commit is`,
  )
}

/** A listing is written by whoever made the repository, and its names become paths here. */
function expectSafe(file: HubFile, { model, endpoint }: Hub): HubFile {
  const { path, etag, size } = file
  const isInside =
    !/[\\\0]|^[a-zA-Z]:/.test(path) && !path.split('/').some((part) => ['', '.', '..'].includes(part))
  if (!isInside) {
    throw new ServerError(
      'model_invalid',
      `${model}: its file ${JSON.stringify(path)} would lie outside its folder`,
    )
  }
  if (/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(etag) && Number.isSafeInteger(size) && size >= 0) return file
  throw new ServerError('load_failed', `${model}: ${endpoint} lists ${path} without a hash or a size`)
}
