/** The groups of a run that need servers: opened, measured in turns, and closed again. */
import { measureClientCost } from './client/cost.ts'
import type { LoadClient } from './client/start-client.ts'
import { startClient } from './client/start-client.ts'
import type { Flags, Group } from './flags.ts'
import { makePeerModels } from './peers/make-models.ts'
import type { Results } from './report/results.ts'
import { embedScenes } from './scenes/embed-scenes.ts'
import { watchMemory } from './scenes/memory-scene.ts'
import { rerankScenes } from './scenes/rerank-scenes.ts'
import { runRounds } from './scenes/run-rounds.ts'
import type { Scene } from './scenes/scene.ts'
import { measureStarts } from './scenes/start-scene.ts'
import type { ServedModels } from './servers/contestant.ts'
import type { FoundPeers } from './servers/find-peers.ts'
import { findPeers } from './servers/find-peers.ts'
import { openBareSessionProcess, openSentenceTransformers } from './servers/libraries.ts'
import type { Candidate } from './servers/open-contestants.ts'
import { closeField, openField } from './servers/open-contestants.ts'
import { openServer, openUrl } from './servers/open-server.ts'
import { OURS } from './servers/ours.ts'

export type Measured = Omit<Results, 'about' | 'figures'>

interface Setting {
  readonly flags: Flags
  readonly peers: FoundPeers
  readonly models: ServedModels & { readonly reranker: string }
  readonly client: LoadClient
}

type Measure = (setting: Setting) => Promise<Partial<Measured>>

const MEASURES: Readonly<Partial<Record<Group, Measure>>> = {
  http: measureEmbedding,
  rerank: measureReranking,
  start: measureStarting,
  memory: measureMemory,
}

const PEER_STARTS = 2

/** All is empty where no group needs a server. */
export async function measureServers(flags: Flags): Promise<Measured> {
  const measures = flags.groups.flatMap((group) => MEASURES[group] ?? [])
  if (measures.length === 0) return merge([])
  const models = await makePeerModels(flags.folders.models)
  const peers = await findPeers(flags.peers, { ...flags.folders, models })
  for (const { peer, reason } of peers.skipped) console.log(`${peer} is skipped: ${reason}`)
  const client = startClient()
  try {
    const found: Partial<Measured>[] = [{ skipped: peers.skipped, client: await measureClientCost(client) }]
    for (const measure of measures) found.push(await measure({ flags, peers, models, client }))
    return merge(found)
  } finally {
    client.close()
  }
}

async function measureEmbedding({ flags, peers, models, client }: Setting): Promise<Partial<Measured>> {
  const alone: ServedModels = { embedder: models.embedder, reranker: undefined }
  const { library } = peers
  const candidates: Candidate[] = [
    ...serverCandidates(peers, alone),
    ...flags.urls.map(({ url, api }) => ({
      id: url,
      open: (load: LoadClient) => openUrl(url, api, load),
    })),
    { id: 'bare-session', open: openBareSessionProcess },
    ...(library === undefined
      ? []
      : [{ id: 'sentence-transformers', open: () => openSentenceTransformers(library) }]),
  ]
  return measureScenes('embeddings over HTTP', embedScenes(flags.profile), { candidates, flags, client })
}

/** What they hold is not told: `http` tells it of one model. */
async function measureReranking({ flags, peers, models, client }: Setting): Promise<Partial<Measured>> {
  const candidates = serverCandidates(peers, models)
  const scenes = rerankScenes(flags.profile)
  const measured = await measureScenes('two models in a server', scenes, { candidates, flags, client })
  const contestants = measured.contestants.map((row) => ({ ...row, loadedMb: null, afterMb: null }))
  return { ...measured, contestants }
}

async function measureStarting({ flags, peers, models }: Setting): Promise<Partial<Measured>> {
  console.log('starts')
  const alone: ServedModels = { embedder: models.embedder, reranker: undefined }
  const counts = { starts: flags.profile.starts, peerStarts: PEER_STARTS }
  return { starts: await measureStarts(peers.servers, alone, counts) }
}

/** Of this program alone. */
async function measureMemory({ flags, models, client }: Setting): Promise<Partial<Measured>> {
  console.log(`memory over ${flags.minutes} minutes of mixed load`)
  const server = await openServer(OURS, { embedder: models.embedder, reranker: undefined }, client)
  try {
    return { memory: [await watchMemory(server, flags.minutes)] }
  } finally {
    await server.stop()
  }
}

function serverCandidates({ servers }: FoundPeers, models: ServedModels): Candidate[] {
  return [OURS, ...servers].map((recipe) => ({
    id: recipe.id,
    open: (client) => openServer(recipe, models, client),
  }))
}

interface Field {
  readonly candidates: readonly Candidate[]
  readonly flags: Flags
  readonly client: LoadClient
}

async function measureScenes(title: string, scenes: readonly Scene[], { candidates, flags, client }: Field) {
  console.log(title)
  const { opened, skipped } = await openField(candidates, client)
  const contestants = opened.map(({ contestant }) => contestant)
  const rows = await runRounds(scenes, contestants, {
    rounds: flags.profile.rounds,
    tell: (line) => console.log(line),
  })
  return { scenes, rows, skipped, contestants: await closeField(opened) }
}

/** Lists behind each other; of contestants that come twice the first. */
function merge(found: readonly Partial<Measured>[]): Measured {
  const contestants = found.flatMap((one) => one.contestants ?? [])
  return {
    skipped: found.flatMap((one) => one.skipped ?? []),
    client: found.flatMap((one) => one.client ?? []),
    contestants: contestants.filter(
      ({ id }, index) => contestants.findIndex((row) => row.id === id) === index,
    ),
    scenes: found.flatMap((one) => one.scenes ?? []),
    rows: found.flatMap((one) => one.rows ?? []),
    starts: found.flatMap((one) => one.starts ?? []),
    memory: found.flatMap((one) => one.memory ?? []),
  }
}
