/** Where a model of MODEL_NAMES lies: in the program, in a folder, or on the hub. */
import { stat } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Log } from './base/log.ts'
import type { Config, ModelRequest } from './config.ts'
import type { ProgressBar } from './model/progress-bar.ts'

export interface LocateOptions {
  readonly config: Config
  readonly log: Log
  readonly bar: ProgressBar
  readonly signal?: AbortSignal | undefined
}

/** A folder; fetched where the source is a name of the hub. Throws what `fetchHub` throws. */
export async function locateModel(
  { source, revision, dtype }: ModelRequest,
  { config, log, bar, signal }: LocateOptions,
): Promise<string> {
  if (config.bundledModel) return fileURLToPath(new URL(`../${source}`, import.meta.url))
  if (revision === undefined && (isPath(source) || (await isFolder(source)))) return source
  const { fetchHub, hubFolders } = await import('./model/fetch-hub.ts')
  return fetchHub({
    name: source,
    revision,
    dtype,
    folders: hubFolders(config.hfHome),
    endpoint: config.hfEndpoint,
    token: config.hfToken,
    offline: config.hfHubOffline,
    log,
    onProgress: bar.update,
    // Only a queue worker is timed.
    initTimeoutMs: config.mode === 'queue-worker' ? config.platform.initTimeoutMs : undefined,
    signal,
  })
}

/** Hub names have one slash at most. */
export function isPath(source: string): boolean {
  return isAbsolute(source) || /^\.{1,2}\//.test(source) || source.split('/').length > 2
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  )
}
