import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Api } from './client/protocol.ts'
import { APIS } from './client/protocol.ts'
import type { Profile } from './profile.ts'
import { FULL, QUICK, TRIAL } from './profile.ts'
import type { Peer } from './servers/find-peers.ts'
import { PEERS } from './servers/find-peers.ts'

/** In the order in which they run. */
export const GROUPS = [
  'http',
  'rerank',
  'start',
  'memory',
  'throughput',
  'latency',
  'encode',
  'large-answers',
  'queue-worker',
  'heartbeat',
  'batch-size',
  'media',
  'pictures',
] as const
export type Group = (typeof GROUPS)[number]

const QUICK_GROUPS: readonly Group[] = [
  'http',
  'rerank',
  'start',
  'latency',
  'encode',
  'large-answers',
  'queue-worker',
]
const FULL_GROUPS: readonly Group[] = [...QUICK_GROUPS, 'throughput', 'heartbeat']
const FULL_PEERS: readonly Peer[] = ['infinity-optimum', 'sentence-transformers']

export interface Flags {
  readonly profile: Profile
  readonly groups: readonly Group[]
  readonly peers: readonly Peer[]
  readonly urls: readonly { readonly url: string; readonly api: Api }[]
  /** Of mixed load while memory is watched; 0: not watched. */
  readonly minutes: number
  /** Python environments, and what the peers serve. */
  readonly folders: {
    readonly infinity: string
    readonly sentenceTransformers: string
    readonly models: string
  }
  /** Undefined: bench/results/<date>-<processor>-<profile>.json */
  readonly json: string | undefined
}

export const CACHE = fileURLToPath(new URL('../.cache/bench', import.meta.url))

export const USAGE = `npm run bench -- [flags] [groups]; npm run bench:full is the same with --full
  groups              of ${GROUPS.join(', ')};
                      all but throughput, heartbeat, batch-size, media, pictures and memory unless told, with --full all but the last four
  --full              three rounds and longer ones, and peers
  --trial             hardly anything, once: whether the bench itself works; figures mean nothing
  --peers A,B         of ${PEERS.join(', ')}, or none; with --full ${FULL_PEERS.join(',')} unless told
  --infinity DIR, --sentence-transformers DIR
                      Python environments; .cache/bench/infinity and .cache/bench/sentence-transformers unless told
  --models DIR        what peers serve, made where it is missing; .cache/bench/models unless told
  --peer-url URL      a server that runs already; may be repeated
  --peer-kind KIND    of ${APIS.join(', ')}: how it is spoken to; one for each --peer-url
  --minutes N         watch the memory under mixed load for so long (group memory)
  --rounds N          how often everything is measured
  --seconds N         about how long a scene under load takes
  --json FILE         where results go, and plots beside them; bench/results/<date>-<processor>-<profile>.json unless told`

/** Undefined where help is asked for. Throws what is wrong. */
export function readFlags(argv: readonly string[]): Flags | undefined {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      full: { type: 'boolean', default: false },
      trial: { type: 'boolean', default: false },
      peers: { type: 'string' },
      infinity: { type: 'string', default: join(CACHE, 'infinity') },
      'sentence-transformers': { type: 'string', default: join(CACHE, 'sentence-transformers') },
      models: { type: 'string', default: join(CACHE, 'models') },
      'peer-url': { type: 'string', multiple: true, default: [] },
      'peer-kind': { type: 'string', multiple: true, default: [] },
      minutes: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const base = values.trial ? TRIAL : values.full ? FULL : QUICK
  const minutes = values.minutes === undefined ? undefined : readNumber('--minutes', values.minutes)
  return {
    profile: {
      ...base,
      rounds: values.rounds === undefined ? base.rounds : readRounds(values.rounds),
      sceneSeconds:
        values.seconds === undefined ? base.sceneSeconds : readNumber('--seconds', values.seconds),
    },
    groups: readGroups(positionals, { isFull: values.full, watchesMemory: minutes !== undefined }),
    peers: readPeers(values.peers, values.full),
    urls: pairUrls(values['peer-url'], values['peer-kind']),
    minutes: minutes ?? 1,
    folders: {
      infinity: values.infinity,
      sentenceTransformers: values['sentence-transformers'],
      models: values.models,
    },
    json: values.json,
  }
}

function readGroups(
  names: readonly string[],
  { isFull, watchesMemory }: { isFull: boolean; watchesMemory: boolean },
): readonly Group[] {
  const asked = names.map((name) => oneOf('group', name, GROUPS))
  const usual = isFull ? FULL_GROUPS : QUICK_GROUPS
  const chosen = new Set<Group>(asked.length === 0 ? usual : asked)
  if (watchesMemory) chosen.add('memory')
  return GROUPS.filter((group) => chosen.has(group))
}

function readPeers(list: string | undefined, isFull: boolean): readonly Peer[] {
  if (list === undefined) return isFull ? FULL_PEERS : []
  return list === 'none' ? [] : list.split(',').map((name) => oneOf('--peers', name, PEERS))
}

function pairUrls(urls: readonly string[], kinds: readonly string[]): Flags['urls'] {
  if (urls.length !== kinds.length)
    throw new Error(
      `there are ${urls.length} --peer-url and ${kinds.length} --peer-kind: each URL needs a kind`,
    )
  return urls.map((url, index) => {
    if (!URL.canParse(url)) throw new Error(`--peer-url: "${url}" is no URL`)
    return { url, api: oneOf('--peer-kind', kinds[index] ?? '', APIS) }
  })
}

function oneOf<T extends string>(flag: string, text: string, known: readonly T[]): T {
  const name = known.find((candidate) => candidate === text)
  if (name === undefined) throw new Error(`${flag}: "${text}" is none of ${known.join(', ')}`)
  return name
}

function readNumber(flag: string, text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value > 0 && value <= 1440))
    throw new Error(`${flag}: "${text}" is not a number above 0 and up to 1440`)
  return value
}

function readRounds(text: string): number {
  if (!/^[1-9]\d?$/.test(text)) throw new Error(`--rounds: "${text}" is not a whole number from 1 to 99`)
  return Number(text)
}
