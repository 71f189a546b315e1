/** Which peers can be measured here, and why the others cannot. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { PeerModels } from '../peers/make-models.ts'
import type { Command, ServerRecipe } from './contestant.ts'
import { infinity } from './infinity.ts'

export const PEERS = ['infinity-optimum', 'infinity-torch', 'sentence-transformers'] as const
export type Peer = (typeof PEERS)[number]

export interface PeerPlaces {
  /** Python environments that `peers/setup.ts` made. */
  readonly infinity: string
  readonly sentenceTransformers: string
  /** Where the folders of `peers/make-models.ts` are. */
  readonly models: PeerModels
}

export interface FoundPeers {
  readonly servers: readonly ServerRecipe[]
  /** The command that embeds lines of texts with sentence-transformers. */
  readonly library: Command | undefined
  readonly skipped: readonly { readonly peer: Peer; readonly reason: string }[]
}

const EMBED_LINES = fileURLToPath(new URL('../peers/embed-lines.py', import.meta.url))
const SETUP = 'node bench/peers/setup.ts'

export async function findPeers(wanted: readonly Peer[], places: PeerPlaces): Promise<FoundPeers> {
  const servers: ServerRecipe[] = []
  const skipped: { peer: Peer; reason: string }[] = []
  let library: Command | undefined
  for (const peer of wanted) {
    const reason = missing(peer, places)
    if (reason !== undefined) skipped.push({ peer, reason })
    else if (peer === 'sentence-transformers') library = libraryCommand(places)
    else {
      const engine = peer === 'infinity-optimum' ? 'optimum' : 'torch'
      const versions = await versionsIn(places.infinity)
      servers.push(infinity(places.infinity, engine, versions, join(places.infinity, 'hub-cache')))
    }
  }
  return { servers, library, skipped }
}

function missing(
  peer: Peer,
  { infinity: venv, sentenceTransformers, models }: PeerPlaces,
): string | undefined {
  if (peer === 'sentence-transformers') {
    return needs(join(sentenceTransformers, 'bin/python'), `${SETUP} sentence-transformers`)
  }
  return (
    needs(join(venv, 'bin/infinity_emb'), `${SETUP} infinity`) ??
    (peer === 'infinity-optimum'
      ? needs(join(models.embedder, 'onnx/model.onnx'), `${SETUP} infinity`)
      : undefined)
  )
}

function needs(path: string, maker: string): string | undefined {
  return existsSync(path) ? undefined : `there is no ${path}; "${maker}" makes it`
}

function libraryCommand({ sentenceTransformers, models }: PeerPlaces): Command {
  return {
    program: join(sentenceTransformers, 'bin/python'),
    args: [EMBED_LINES, models.embedder],
    env: { HF_HUB_OFFLINE: '1' },
  }
}

const PACKAGES = ['infinity_emb', 'torch', 'onnxruntime', 'optimum', 'transformers', 'sentence-transformers']

async function versionsIn(venv: string): Promise<Record<string, string>> {
  const script = `import importlib.metadata as m, json; print(json.dumps({p: m.version(p) for p in ${JSON.stringify(PACKAGES)}}))`
  const { stdout } = await promisify(execFile)(join(venv, 'bin/python'), ['-c', script])
  return JSON.parse(stdout) as Record<string, string>
}
