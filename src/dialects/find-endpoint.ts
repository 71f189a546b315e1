/** Paths to endpoints. Clients are given base URLs of every kind, and put their own parts behind them. */
import type { Endpoint } from './dialect.ts'

export interface Match {
  readonly endpoint: Endpoint
  readonly pathModel: string | undefined
}

/**
 * The endpoint that a path means: slashes may be doubled or trail, `/v1` and `/v2` may lead, be missing or repeat. The
 * last of them is the dialect that the client speaks, and is tried first; then the path without, then with either.
 * Endpoints of one route are told apart by method, and by whether they know the body.
 */
export function findEndpoint(
  endpoints: readonly Endpoint[],
  { method, route, body }: { method?: string | undefined; route: string; body: unknown },
): Match | undefined {
  let other: Match | undefined
  for (const path of candidates(route)) {
    const matches = endpoints.flatMap((endpoint) => matchEndpoint(endpoint, path))
    const known = matches.filter(({ endpoint }) => endpoint.knows?.(body) ?? true)
    const fitting = known.find(({ endpoint }) => method === undefined || endpoint.method === method)
    if (fitting !== undefined) return fitting
    other ??= known[0] ?? matches[0]
  }
  return other
}

const VERSIONS = ['v1', 'v2']

/** Paths to try, as lists of their parts. */
function candidates(route: string): string[][] {
  const parts = partsOf(route.split('?')[0] ?? '')
  const first = parts.findIndex((part) => !VERSIONS.includes(part))
  const rest = first < 0 ? [] : parts.slice(first)
  const version = parts[(first < 0 ? parts.length : first) - 1]
  const bare = [rest, ...VERSIONS.map((v) => [v, ...rest])]
  return version === undefined ? bare : [[version, ...rest], ...bare]
}

function matchEndpoint(endpoint: Endpoint, path: readonly string[]): Match[] {
  for (const route of endpoint.routes) {
    const [before = [], after] = route.split('/*').map(partsOf)
    if (after === undefined) {
      if (path.length === before.length && startsWith(path, before))
        return [{ endpoint, pathModel: undefined }]
      continue
    }
    const end = path.length - after.length
    if (end <= before.length || !startsWith(path, before) || !startsWith(path.slice(end), after)) continue
    return [{ endpoint, pathModel: path.slice(before.length, end).map(decode).join('/') }]
  }
  return []
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '')
}

function startsWith(path: readonly string[], names: readonly string[]): boolean {
  return names.every((name, index) => path[index] === name)
}

/** A part that cannot be decoded is a name like others. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
