/** From the start of a process to its first vector over HTTP. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { median } from '../harness.ts'
import type { ServedModels, ServerRecipe } from '../servers/contestant.ts'
import { timeStart } from '../servers/open-server.ts'
import { OURS } from '../servers/ours.ts'

export interface StartRow {
  readonly contestant: string
  readonly title: string
  /** `first`: with nothing kept from earlier starts but files in the system's page cache. */
  readonly state: 'first' | 'warm cache'
  readonly ms: number
  readonly perRun: readonly number[]
}

/** Of ours each kind of start so often, in turns; of a peer, whose starts take long, only `peerStarts`. */
export async function measureStarts(
  peers: readonly ServerRecipe[],
  models: ServedModels,
  { starts, peerStarts }: { starts: number; peerStarts: number },
): Promise<StartRow[]> {
  const warmCache = mkdtempSync(join(tmpdir(), 'bench-cache-'))
  const first: number[] = []
  const warm: number[] = []
  try {
    await timeStart(OURS, models, { env: cacheIn(warmCache), settle: () => settled(warmCache) })
    for (let run = 0; run < starts; run++) {
      const emptyCache = mkdtempSync(join(tmpdir(), 'bench-cache-'))
      first.push(await timeStart(OURS, models, { env: compileCacheIn(emptyCache) }))
      rmSync(emptyCache, { recursive: true })
      warm.push(await timeStart(OURS, models, { env: cacheIn(warmCache) }))
    }
  } finally {
    rmSync(warmCache, { recursive: true, force: true })
  }
  const rows = [row(OURS, 'first', first), row(OURS, 'warm cache', warm)]
  for (const peer of peers) {
    const times: number[] = []
    for (let run = 0; run < peerStarts; run++) times.push(await timeStart(peer, models))
    // What it keeps, its environment and its exported model, is there before the first.
    rows.push(row(peer, 'warm cache', times))
  }
  return rows
}

/** Compiled code alone: CACHE_DIR is unset unless an operator sets it. */
function compileCacheIn(folder: string): Record<string, string> {
  return { NODE_COMPILE_CACHE: join(folder, 'code') }
}

function cacheIn(folder: string): Record<string, string> {
  return { ...compileCacheIn(folder), CACHE_DIR: join(folder, 'models') }
}

const LOOK_MS = 500
const MOST_LOOKS = 60

/** Models are written once the server serves: waits until the folder has not changed between two looks. */
async function settled(folder: string): Promise<void> {
  let before = ''
  for (let look = 0; look < MOST_LOOKS; look++) {
    await sleep(LOOK_MS)
    const now = listing(folder)
    if (now === before) return
    before = now
  }
}

function listing(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).join('\n')
}

function row({ id, title }: ServerRecipe, state: StartRow['state'], perRun: readonly number[]): StartRow {
  return { contestant: id, title, state, ms: median(perRun), perRun }
}
