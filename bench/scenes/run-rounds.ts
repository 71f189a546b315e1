/** Every scene by every contestant in turn, round after round, so that a machine whose speed drifts treats all alike. */
import type { LaneReply } from '../client/protocol.ts'
import { median, quantile } from '../harness.ts'
import type { Contestant } from '../servers/contestant.ts'
import type { Metric, Scene } from './scene.ts'

/** A lane of a scene as one contestant ran it: medians over rounds, and each round. */
export interface SceneRow {
  readonly scene: string
  readonly lane: string
  readonly contestant: string
  readonly rounds: number
  /** Answered, in all rounds. */
  readonly requests: number
  readonly failed: number
  readonly failure?: string
  readonly figures: Readonly<Record<Metric, number>>
  readonly slowestMs: number
  readonly perRound: Readonly<Record<Metric, readonly number[]>>
  /** Of a core, the load generator's part; undefined for a library. */
  readonly clientCpuShare: number | undefined
}

interface Taken {
  readonly reply: LaneReply
  readonly clientCpuShare: number | undefined
}

export interface RoundOptions {
  readonly rounds: number
  /** Told of each scene that a contestant has been through. */
  readonly tell: (line: string) => void
}

export async function runRounds(
  scenes: readonly Scene[],
  contestants: readonly Contestant[],
  { rounds, tell }: RoundOptions,
): Promise<SceneRow[]> {
  const taken = new Map<string, Taken[]>()
  for (const contestant of contestants) contestant.pause()
  for (let round = 0; round < rounds; round++) {
    for (const scene of scenes) {
      for (const contestant of contestants) {
        const start = performance.now()
        const outcome = await runScene(scene, contestant, round)
        if (outcome === undefined) continue
        for (const { reply, clientCpuShare } of outcome) {
          const key = keyOf(scene.id, reply.name, contestant.id)
          taken.set(key, [...(taken.get(key) ?? []), { reply, clientCpuShare }])
        }
        const seconds = ((performance.now() - start) / 1000).toFixed(1)
        tell(
          `  round ${round + 1}/${rounds}  ${scene.id.padEnd(16)} ${contestant.id.padEnd(24)} ${seconds} s`,
        )
      }
    }
  }
  for (const contestant of contestants) contestant.resume()
  return scenes.flatMap((scene) =>
    scene.lanes.flatMap(({ name }) =>
      contestants.flatMap(({ id }) => {
        const rows = taken.get(keyOf(scene.id, name, id))
        return rows === undefined ? [] : [toRow({ scene: scene.id, lane: name, contestant: id }, rows)]
      }),
    ),
  )
}

/** The others are held still. */
async function runScene(scene: Scene, contestant: Contestant, round: number): Promise<Taken[] | undefined> {
  contestant.resume()
  try {
    if ((await contestant.run(scene.warmUp, seedOf(round) + 1)) === undefined) return undefined
    const measured = await contestant.run(scene.lanes, seedOf(round))
    if (measured === undefined) return undefined
    const { lanes, clientCpuShare } = measured
    return lanes.map((reply) => ({ reply, clientCpuShare }))
  } finally {
    contestant.pause()
  }
}

/** Other texts each round, the same for all contestants. */
function seedOf(round: number): number {
  return 100 + 10 * round
}

function keyOf(...parts: readonly string[]): string {
  return parts.join(' ')
}

export function toRow(
  names: Pick<SceneRow, 'scene' | 'lane' | 'contestant'>,
  taken: readonly Taken[],
): SceneRow {
  const replies = taken.map(({ reply }) => reply)
  const shares = taken.flatMap(({ clientCpuShare }) => clientCpuShare ?? [])
  const failure = replies.find((reply) => reply.failure !== undefined)?.failure
  const perRound: Record<Metric, number[]> = {
    tokensPerSecond: replies.map(({ tokens, seconds }) => tokens / seconds),
    requestsPerSecond: replies.map(({ requests, seconds }) => requests / seconds),
    p50Ms: replies.map(({ latenciesMs }) => quantileOf(latenciesMs, 0.5)),
    p99Ms: replies.map(({ latenciesMs }) => quantileOf(latenciesMs, 0.99)),
  }
  return {
    ...names,
    rounds: replies.length,
    requests: replies.reduce((sum, { requests }) => sum + requests, 0),
    failed: replies.reduce((sum, { failed }) => sum + failed, 0),
    ...(failure === undefined ? {} : { failure }),
    figures: {
      tokensPerSecond: median(perRound.tokensPerSecond),
      requestsPerSecond: median(perRound.requestsPerSecond),
      p50Ms: median(perRound.p50Ms),
      p99Ms: median(perRound.p99Ms),
    },
    slowestMs: Math.max(...replies.map(({ latenciesMs }) => latenciesMs.reduce((a, b) => Math.max(a, b), 0))),
    perRound,
    clientCpuShare: shares.length === 0 ? undefined : median(shares),
  }
}

/** 0 where nothing was answered: the row says that it failed. */
function quantileOf(values: readonly number[], share: number): number {
  return values.length === 0 ? 0 : quantile(values, share)
}
