/** Memory of a server under mixed load, minute after minute. */
import { median } from '../harness.ts'
import type { Lane } from '../client/protocol.ts'
import type { Contestant } from '../servers/contestant.ts'
import { treeMegabytes } from '../servers/process-group.ts'
import { queryLane } from './embed-scenes.ts'

export interface MemoryRow {
  readonly contestant: string
  readonly title: string
  readonly minutes: number
  readonly requests: number
  readonly failed: number
  readonly firstTenthMb: number
  readonly lastTenthMb: number
  /** From the median of the first tenth of the time to that of the last. */
  readonly growthMb: number
  readonly peakMb: number
  /** Minutes since the start of the load, and MB. */
  readonly samples: readonly (readonly [number, number])[]
}

/** So that a file of results stays small however long the load was. */
const MOST_SAMPLES = 240
const LEAST_PAUSE_MS = 1000

/** Bulk requests of mixed and of long texts, and queries, all at the same time. */
function mixedLoad(minutes: number): Lane[] {
  const until = { seconds: 60 * minutes }
  const bulk = { task: 'embed', textsPerRequest: 32, until } as const
  return [
    { ...bulk, name: 'mixed', texts: 'mixed', connections: 2 },
    { ...bulk, name: 'long', texts: 'long', connections: 1, pauseMs: 1000 },
    { ...queryLane(until, 4), pauseMs: 100 },
  ]
}

/** Throws where the process's memory cannot be read. */
export async function watchMemory(contestant: Contestant, minutes: number): Promise<MemoryRow> {
  const samples: (readonly [number, number])[] = []
  const start = performance.now()
  const sample = () => {
    const megabytes = treeMegabytes(contestant.pid)
    if (megabytes !== undefined) samples.push([(performance.now() - start) / 60_000, megabytes])
  }
  const timer = setInterval(sample, Math.max(LEAST_PAUSE_MS, (60_000 * minutes) / MOST_SAMPLES))
  const measured = await contestant.run(mixedLoad(minutes), 1).finally(() => clearInterval(timer))
  sample()
  const replies = measured?.lanes ?? []
  return {
    contestant: contestant.id,
    title: contestant.title,
    minutes,
    requests: replies.reduce((sum, { requests }) => sum + requests, 0),
    failed: replies.reduce((sum, { failed }) => sum + failed, 0),
    ...growthOf(samples),
    samples,
  }
}

export function growthOf(
  samples: readonly (readonly [number, number])[],
): Pick<MemoryRow, 'firstTenthMb' | 'lastTenthMb' | 'growthMb' | 'peakMb'> {
  if (samples.length === 0) throw new Error('no memory could be read: this needs /proc')
  const megabytes = samples.map(([, value]) => value)
  const tenth = Math.max(1, Math.floor(megabytes.length / 10))
  const firstTenthMb = median(megabytes.slice(0, tenth))
  const lastTenthMb = median(megabytes.slice(-tenth))
  return { firstTenthMb, lastTenthMb, growthMb: lastTenthMb - firstTenthMb, peakMb: Math.max(...megabytes) }
}
