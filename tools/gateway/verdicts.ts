/**
 * What a job's entry in the ledger proves.
 *
 * **Run twice.** What a gateway can know of runs is what workers post. A worker posts one run's result until a post is
 * answered with success, so within one worker's lifetime as many posts were *acknowledged* as runs have ended. A post counts
 * as acknowledged only if its answer of success was written whole, on a live connection, to a process that was not frozen
 * then or shortly before: after any other answer the worker is right to post the same result once more.
 *
 * A run is *explained* by a delivery. Not counted are deliveries of which no byte was written, and those that this gateway
 * doubled on purpose: the worker has to recognise them. There are two exceptions. A doubled delivery may be the first one
 * that this worker sees of the job. And a worker that failed the job, or was told to stop it, cannot tell a doubled delivery
 * from a client's retry, so there it explains a run.
 *
 * More acknowledged posts than explained runs: the job was run twice. A second run is missed where its worker was given the
 * job in earnest twice, or was just thawed; a worker that runs each job once is never accused.
 *
 * **Abandoned.** A job reached a worker for certain, and later the pings of that worker, alive, did not list it, although no
 * result of it was ever acknowledged: the worker dropped the job, or gave up its result. The gateway gives such a job to
 * another, so it is not lost, but it was run for nothing. A worker that was killed soon after and had posted nothing is not
 * accused: it may only have been slow.
 */
import type { JobEntry, ResultPost } from './job-entry.ts'

/** What is known of workers' processes. */
export interface Lifetimes {
  /** When it was killed; Infinity where it was not. */
  readonly killedAtMs: (workerId: string) => number
  /** Whether it was stopped then, or so shortly before or after that it may have given up what it had received. */
  readonly isFrozen: (workerId: string, atMs: number) => boolean
}

/** From being given a job, after which a worker that is only slow has listed it. */
const SLOW_MS = 8000

export function secondRunsOf({ deliveries, posts, ends }: JobEntry, lifetimes: Lifetimes): string[] {
  const mayForget = ends.some((status) => status === 'CANCELLED' || status === 'TIMED_OUT')
  const workerIds = new Set(posts.map(({ workerId }) => workerId))
  return [...workerIds].flatMap((workerId) => {
    const ownPosts = posts.filter((post) => post.workerId === workerId)
    const runs = ownPosts.filter((post) => isAcknowledged(post, lifetimes)).length
    const arrived = deliveries.filter(
      (delivery) => delivery.workerId === workerId && delivery.sent !== 'none',
    )
    const countsDoubles = mayForget || ownPosts.some(({ failed }) => failed)
    const earnest = arrived.filter(({ injected }) => !injected || countsDoubles).length
    const explained = Math.max(earnest, Math.min(1, arrived.length))
    if (runs <= explained) return []
    return [`${workerId} ended ${runs} runs of it; its deliveries explain ${explained}`]
  })
}

export function abandonmentsOf(
  { unlisted, deliveries, posts, refusals }: JobEntry,
  lifetimes: Lifetimes,
): string[] {
  return unlisted.flatMap(({ workerId, atMs }) => {
    const delivery = deliveries.findLast((one) => one.workerId === workerId && one.atMs <= atMs)
    if (delivery?.sent !== 'whole' || lifetimes.isFrozen(workerId, delivery.atMs)) return []
    const isAnswered = posts.some(
      (post) => post.workerId === workerId && post.status === 200 && post.sent === 'whole',
    )
    if (isAnswered) return []
    const tries = [...posts, ...refusals].filter(
      (one) => one.workerId === workerId && one.atMs >= delivery.atMs && one.atMs <= atMs,
    ).length
    const livedMs = lifetimes.killedAtMs(workerId) - delivery.atMs
    return tries === 0 && livedMs < SLOW_MS
      ? []
      : [`${workerId} dropped it after ${tries} posts of its result`]
  })
}

export function lossOf({ ends, queued, spoiled, deliveries }: JobEntry): string | undefined {
  if (spoiled !== undefined) return spoiled
  if (ends.length >= queued) return undefined
  return deliveries.length === 0 ? 'no worker ever had it' : 'it was handed out and never ended'
}

export function secondAnswerOf({ ends, queued, contradicted }: JobEntry): string | undefined {
  if (ends.length > queued) return `it ended ${ends.length} times, as ${ends.join(', ')}`
  return contradicted ? 'clients were given different answers' : undefined
}

function isAcknowledged(
  { workerId, status, sent, answeredAtMs = 0 }: ResultPost,
  { isFrozen }: Lifetimes,
): boolean {
  return status === 200 && sent === 'whole' && !isFrozen(workerId, answeredAtMs)
}
