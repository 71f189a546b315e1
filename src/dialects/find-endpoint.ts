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
    const matches = endpoints.flatMap((endpoint) => matchEndpoint(endpoint, path) ?? [])
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

/** A route as its parts: those before the star, and those behind it where there is one. */
interface Pattern {
  readonly before: readonly string[]
  readonly after: readonly string[] | undefined
}

/** Every request is held against every route: they are taken apart once. */
const patterns = new WeakMap<Endpoint, readonly Pattern[]>()

function patternsOf(endpoint: Endpoint): readonly Pattern[] {
  const known = patterns.get(endpoint)
  if (known !== undefined) return known
  const made = endpoint.routes.map((route) => {
    const [before = [], after] = route.split('/*').map(partsOf)
    return { before, after }
  })
  patterns.set(endpoint, made)
  return made
}

function matchEndpoint(endpoint: Endpoint, path: readonly string[]): Match | undefined {
  for (const { before, after } of patternsOf(endpoint)) {
    if (after === undefined) {
      if (path.length === before.length && hasAt(path, 0, before)) return { endpoint, pathModel: undefined }
      continue
    }
    const end = path.length - after.length
    if (end <= before.length || !hasAt(path, 0, before) || !hasAt(path, end, after)) continue
    return { endpoint, pathModel: path.slice(before.length, end).map(decode).join('/') }
  }
  return undefined
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '')
}

function hasAt(path: readonly string[], start: number, names: readonly string[]): boolean {
  return names.every((name, index) => path[start + index] === name)
}

/** A part that cannot be decoded is a name like others. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
