/** Embeddings over HTTP. */
import type { Lane, TextKind } from '../client/protocol.ts'
import type { Profile } from '../profile.ts'
import { queriesFor, tokensFor } from '../profile.ts'
import type { Scene } from './scene.ts'

const TEXTS = 32
const AT_ONCE = 8
/** About; the exact number is counted. */
const MEAN_TOKENS: Readonly<Record<TextKind, number>> = { short: 10, mixed: 82, long: 248 }
/** So that the queries beside a bulk job are a trickle, as from a person, and no second bulk job. */
const QUERY_PAUSE_MS = 20

export function embedScenes(profile: Profile): Scene[] {
  const { sceneSeconds: seconds, queries, curve } = profile
  const query = queryLane({ requests: queries })
  return [
    bulkScene('short', 'short texts (5–15 tokens)', profile),
    bulkScene('mixed', 'mixed texts (5–256 tokens, median 63)', profile),
    bulkScene('long', 'long texts (240–256 tokens)', profile),
    {
      id: 'query',
      title: 'one short query, nothing else',
      lanes: [query],
      warmUp: [queryLane({ requests: 20 })],
      shown: [{ lane: 'query', metrics: ['p50Ms', 'p99Ms'] }],
    },
    {
      id: 'beside-bulk',
      title: 'one short query beside mixed texts',
      lanes: [
        bulkLane('mixed', { ...profile, sceneSeconds: 1.5 * seconds }),
        { ...queryLane({ lane: 'bulk' }), pauseMs: QUERY_PAUSE_MS },
      ],
      warmUp: [queryLane({ requests: 10 })],
      shown: [
        { lane: 'query', metrics: ['p50Ms', 'p99Ms'] },
        { lane: 'bulk', metrics: ['tokensPerSecond'], title: '… the mixed texts meanwhile', alone: 'mixed' },
      ],
    },
    ...[...curve, 32, 300].toSorted((a, b) => a - b).map((count) => connectionScene(count, seconds)),
  ]
}

function bulkScene(texts: TextKind, title: string, profile: Profile): Scene {
  const lane = bulkLane(texts, profile)
  return {
    id: texts,
    title,
    lanes: [lane],
    warmUp: [{ ...lane, textsPerRequest: 8, until: { requests: profile.leastRequests } }],
    shown: [{ lane: 'bulk', metrics: ['tokensPerSecond'] }],
  }
}

export function bulkLane(texts: TextKind, { sceneSeconds, leastRequests }: Profile): Lane {
  const wanted = Math.round(tokensFor(sceneSeconds) / (TEXTS * MEAN_TOKENS[texts]))
  const requests = Math.max(leastRequests, wanted)
  return {
    name: 'bulk',
    task: 'embed',
    texts,
    textsPerRequest: TEXTS,
    connections: Math.min(AT_ONCE, requests),
    until: { requests },
  }
}

export function queryLane(until: Lane['until'], connections = 1): Lane {
  return { name: 'query', task: 'embed', texts: 'short', textsPerRequest: 1, connections, until }
}

/** Twice as many requests as connections at least: the first of each meets a queue that is just filling. */
function connectionScene(connections: number, seconds: number): Scene {
  const requests = Math.max(2 * connections, queriesFor(seconds))
  return {
    id: `connections-${connections}`,
    title: `short queries over ${connections} connections`,
    lanes: [queryLane({ requests }, connections)],
    warmUp: [queryLane({ requests: connections }, connections)],
    shown: [{ lane: 'query', metrics: ['requestsPerSecond', 'p99Ms'] }],
  }
}
