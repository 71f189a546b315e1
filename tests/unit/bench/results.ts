/** Rows as a run leaves them, with figures that tests choose. */
import type { ContestantRow, Results } from '../../../bench/report/results.ts'
import type { SceneRow } from '../../../bench/scenes/run-rounds.ts'
import { toRow } from '../../../bench/scenes/run-rounds.ts'
import type { Scene } from '../../../bench/scenes/scene.ts'

export const SCENE: Scene = {
  id: 'mixed',
  title: 'mixed texts',
  lanes: [],
  warmUp: [],
  shown: [
    { lane: 'bulk', metrics: ['tokensPerSecond', 'p99Ms'] },
    { lane: 'query', metrics: ['p50Ms'], title: '… a query meanwhile' },
  ],
}

/** A round of a second each, one request of so many tokens in it that took so long. */
export function sceneRow(
  contestant: string,
  rounds: readonly { readonly tokens: number; readonly ms: number }[],
  lane = 'bulk',
): SceneRow {
  const taken = rounds.map(({ tokens, ms }) => ({
    reply: { name: lane, requests: 1, texts: 1, tokens, failed: 0, seconds: 1, latenciesMs: [ms] },
    clientCpuShare: 0.01,
  }))
  return toRow({ scene: SCENE.id, lane, contestant }, taken)
}

export function contestant(id: string, more: Partial<ContestantRow> = {}): ContestantRow {
  const title = `title of ${id}`
  const known = { versions: {}, settings: '', isServer: true, leastCosine: 1, loadedMb: null, afterMb: null }
  return { id, title, ...known, ...more }
}

export function results(more: Partial<Results>): Results {
  const nothing = { skipped: [], client: [], contestants: [], scenes: [SCENE], rows: [], starts: [] }
  return { about: {}, ...nothing, memory: [], figures: [], ...more }
}
