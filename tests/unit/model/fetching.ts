/** `fetchHub` against a fake hub, with what it logged. */
import { mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { LogEvent } from '../../../src/base/log.ts'
import type { FetchOptions } from '../../../src/model/fetch-hub.ts'
import { fetchHub } from '../../../src/model/fetch-hub.ts'
import type { FakeHub, FakeRepository, Fault, SeenRequest } from '../../fakes/hub.ts'
import { etagOf, openHub, repositoryOf } from '../../fakes/hub.ts'
import { fixturePath, makeFolder } from './model-folder.ts'

export const NAME = 'org/model'
export const FOLDER = 'models--org--model'

export interface Fetching {
  readonly hub: FakeHub
  /** The cache's hub folder. */
  readonly cache: string
  readonly repository: FakeRepository
  readonly events: LogEvent[]
  readonly fetch: (options?: Partial<FetchOptions>) => Promise<string>
}

/** A hub with one model, a copy of a golden fixture, and an empty cache. */
export async function openFetching(
  options: Partial<FakeRepository> & { readonly fixture?: string } = {},
): Promise<Fetching> {
  const { fixture = 'bert-mean-normalize', ...repositoryOptions } = options
  const repository = await repositoryOf(fixturePath(fixture), repositoryOptions)
  const hub = await openHub({ [NAME]: repository })
  onTestFinished(() => hub.close())
  const cache = join(await makeFolder(), 'hub')
  const events: LogEvent[] = []
  const fetch = (overrides: Partial<FetchOptions> = {}) =>
    fetchHub({
      name: NAME,
      folders: [{ path: cache, platform: false }],
      endpoint: hub.endpoint,
      offline: false,
      log: (_, event) => events.push(event),
      backoffMs: 1,
      ...overrides,
    })
  return { hub, cache, repository, events, fetch }
}

/** The fault meets the first `times` requests that match. */
export function faultTimes(times: number, matches: (request: SeenRequest) => boolean, fault: Fault) {
  let left = times
  return (request: SeenRequest): Fault | undefined => {
    if (left === 0 || !matches(request)) return undefined
    left--
    return fault
  }
}

export const isCdn = ({ host }: SeenRequest) => host === 'cdn'
export const isApi = ({ path }: SeenRequest) => path.startsWith('/api/')

export function eventsOf<K extends LogEvent['event']>(
  events: readonly LogEvent[],
  kind: K,
): Extract<LogEvent, { event: K }>[] {
  return events.filter((event): event is Extract<LogEvent, { event: K }> => event.event === kind)
}

/** Every file of a folder, with its text in latin1. */
export async function readTree(folder: string): Promise<Record<string, string>> {
  const tree: Record<string, string> = {}
  for (const path of await readdir(folder, { recursive: true })) {
    const content = await readFile(join(folder, path), 'latin1').catch(() => undefined)
    if (content !== undefined) tree[path] = content
  }
  return tree
}

/** Puts a repository into a hub folder as another program would; `files` are all of them by default. */
export async function cacheRepository(
  hub: string,
  { commit, files }: FakeRepository,
  { only = [...files.keys()], refs = ['main'] }: { only?: readonly string[]; refs?: readonly string[] } = {},
): Promise<string> {
  const folder = join(hub, FOLDER)
  const snapshot = join(folder, 'snapshots', commit)
  await mkdir(join(folder, 'blobs'), { recursive: true })
  for (const path of only) {
    const bytes = files.get(path) ?? new Uint8Array()
    const blob = join(folder, 'blobs', etagOf(path, bytes))
    await writeFile(blob, bytes)
    await mkdir(dirname(join(snapshot, path)), { recursive: true })
    await symlink(blob, join(snapshot, path))
  }
  for (const ref of refs) {
    await mkdir(join(folder, 'refs'), { recursive: true })
    await writeFile(join(folder, 'refs', ref), commit)
  }
  return snapshot
}

export function without(repository: FakeRepository, ...paths: readonly string[]): string[] {
  return [...repository.files.keys()].filter((path) => !paths.includes(path))
}
