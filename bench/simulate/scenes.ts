import type { BatchLimits } from '../../src/engine/waiting-room.ts'
import { seededRandom } from '../../tools/random.ts'
import type { Arrival, Stream } from './arrivals.ts'
import { HEAVY_TAIL, PARAGRAPH, QUERY, arrival, bursts, poisson } from './arrivals.ts'
import { CPU } from './device.ts'
import type { Scene } from './simulate.ts'

/** As the engine is set up on a CPU. */
const LIMITS: BatchLimits = { maxRows: 32, maxTokens: 512, maxPaddedTokens: 1024, sharedTokens: 256 }

const MINUTE = 60_000

const QUERIES: Stream = { kind: 'query', items: 1, lengths: QUERY }
const PAGES: Stream = { kind: 'page', items: 32, lengths: PARAGRAPH }
const JOB: Stream = { kind: 'job', items: 2000, lengths: PARAGRAPH, whenFull: 'wait' }

export interface NamedScene extends Scene {
  readonly name: string
}

function scene(name: string, arrivals: readonly Arrival[], others: Partial<Scene> = {}): NamedScene {
  const inOrder = arrivals.toSorted((one, other) => one.atMs - other.atMs)
  return { name, arrivals: inOrder, device: CPU, limits: LIMITS, ...others }
}

/** Loads that a server has, each by the same seed in every run. */
export function loads(seed: number): readonly NamedScene[] {
  const random = seededRandom(seed)
  return [
    scene('queries and pages of 32 texts, at random', [
      ...poisson(QUERIES, 15, MINUTE, random),
      ...poisson(PAGES, 2.5, MINUTE, random),
    ]),
    scene('20 pages at once every 10 s, and queries', [
      ...bursts(PAGES, { count: 20, everyMs: 10_000, endMs: MINUTE }, random),
      ...poisson(QUERIES, 10, MINUTE, random),
    ]),
    scene('one job of 2,000 texts, and queries', [
      arrival(JOB, 0, random),
      ...poisson(QUERIES, 10, 12_000, random),
    ]),
    scene('one job of 2,000 texts among pages', [
      arrival(JOB, 0, random),
      ...poisson(PAGES, 3, MINUTE, random),
    ]),
    scene('300 pages of low priority, queries of high and normal', [
      ...Array.from({ length: 300 }, () => arrival({ ...PAGES, kind: 'low', priority: 'low' }, 0, random)),
      ...poisson({ ...QUERIES, kind: 'high', priority: 'high' }, 5, MINUTE, random),
      ...poisson({ ...QUERIES, kind: 'normal' }, 5, MINUTE, random),
    ]),
    scene('texts of 3 to 8,192 tokens, half of them below 24', [
      ...poisson({ kind: 'text', items: 1, lengths: HEAVY_TAIL }, 60, MINUTE, random),
    ]),
    scene('one text of 8,192 tokens among queries', [
      { kind: 'long', atMs: 5000, lengths: [8192] },
      ...poisson(QUERIES, 100, 20_000, random),
    ]),
  ]
}

/** Far more than the device can do, of requests that are of use for a while only; late ones refused, or not. */
export function deadlines(seed: number, refusesLate: boolean): NamedScene {
  const random = seededRandom(seed)
  const arrivals = [
    ...poisson({ ...QUERIES, withinMs: 1000 }, 5, MINUTE, random),
    ...poisson({ ...PAGES, withinMs: 5000 }, 16, MINUTE, random),
  ]
  return scene(refusesLate ? 'refused where surely late' : 'let in', arrivals, { refusesLate })
}

/** More large requests than can be done, on a small queue: some find it full. */
export function fullQueue(seed: number): NamedScene {
  const random = seededRandom(seed)
  return scene('full', poisson({ ...PAGES, items: 512 }, 0.35, 10 * MINUTE, random), { queueSize: 2000 })
}

/** 60 jobs of 150 to 450 texts that are all there when the worker is told to stop. */
export function stopped(seed: number): NamedScene {
  const random = seededRandom(seed)
  const jobs = Array.from({ length: 60 }, () =>
    arrival({ ...JOB, items: 150 + Math.floor(300 * random()) }, 0, random),
  )
  return scene('stopped', jobs)
}

/** 300 jobs of 2,048 texts of 512 tokens: 13 times what the queue holds. */
export function tooMuch(): NamedScene {
  const lengths = Array.from({ length: 2048 }, () => 512)
  const jobs = Array.from(
    { length: 300 },
    () => ({ kind: 'job', atMs: 0, lengths, whenFull: 'wait' }) as const,
  )
  return scene('too much', jobs)
}
