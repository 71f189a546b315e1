/** `npm run bench:simulate`: the engine's queue under traces of requests, in virtual time; the same figures on any machine. */
import { quantile } from '../harness.ts'
import type { Arrival } from './arrivals.ts'
import { termsOf } from './device.ts'
import type { Policy } from './queue.ts'
import type { NamedScene } from './scenes.ts'
import { deadlines, fullQueue, loads, stopped, tooMuch } from './scenes.ts'
import type { Fate, Outcome } from './simulate.ts'
import { simulate } from './simulate.ts'

const SEED = 14
const POLICIES: readonly Policy[] = ['engine', 'fifo', 'oracle']
const GRACE_MS = 30_000

console.log(
  'A device of 2 cores with the bundled model, as a formula; waits in ms, p50 / p99, from arrival to answer.',
)
for (const scene of loads(SEED)) {
  console.log(`\n${scene.name}`)
  const outcomes = new Map<Policy, Outcome>()
  for (const policy of POLICIES) outcomes.set(policy, await simulate(scene, policy))
  printTable(scene, outcomes)
}
await printDeadlines()
await printRetries()
await printStop()
await printTooMuch()

function printTable(scene: NamedScene, outcomes: ReadonlyMap<Policy, Outcome>): void {
  const kinds = [...new Set(scene.arrivals.map(({ kind }) => kind))]
  printRow(['', 'busy', 'of perfect', 'padded', ...kinds, 'came ÷ foretold'])
  for (const [policy, outcome] of outcomes) {
    const { fates, busyMs, spanMs, tokens, paddedTokens } = outcome
    printRow([
      policy,
      percent(busyMs / spanMs),
      percent(perfectMs(scene, answered(fates)) / busyMs),
      (paddedTokens / tokens).toFixed(2),
      ...kinds.map((kind) => waits(fates.filter(({ arrival }) => arrival.kind === kind))),
      policy === 'engine' ? foretold(fates) : '',
    ])
  }
}

async function printDeadlines(): Promise<void> {
  console.log(
    `\n${loadOf(deadlines(SEED, true))} times what can be done; queries are of use for 1 s, pages for 5 s`,
  )
  printRow(['', 'in time', 'refused', 'too late', 'wasted'])
  for (const refusesLate of [true, false]) {
    const scene = deadlines(SEED, refusesLate)
    const { fates, tokens } = await simulate(scene, 'engine')
    const used = answered(fates).flatMap(({ lengths }) => lengths)
    const shares = (['answered', 'refused', 'too late'] as const).map((end) =>
      percent(fates.filter((fate) => fate.end === end).length / fates.length),
    )
    printRow([scene.name, ...shares, percent(1 - sum(used) / tokens)])
  }
}

async function printRetries(): Promise<void> {
  const { fates } = await simulate(fullQueue(SEED), 'engine')
  const rooms = fates.flatMap(({ room }) =>
    room?.foretoldMs && room.ms ? [room as { foretoldMs: number; ms: number }] : [],
  )
  console.log(
    `\n${loadOf(fullQueue(SEED))} times what can be done, by 512 texts, on a queue of 2,000: ${rooms.length} of ${fates.length} refused`,
  )
  const told = rooms.map(({ foretoldMs }) => foretoldMs)
  const came = rooms.map(({ ms }) => ms)
  const sooner = rooms.filter(({ foretoldMs, ms }) => ms <= foretoldMs).length / rooms.length
  console.log(
    `Retry-After ${shown(told)} ms; there was room after ${shown(came)} ms, by then in ${percent(sooner)}`,
  )
}

async function printStop(): Promise<void> {
  console.log(`\n60 jobs when the worker is told to stop: answered within ${GRACE_MS / 1000} s`)
  for (const policy of ['draining', 'engine', 'fifo', 'oracle'] as const) {
    const { fates } = await simulate(stopped(SEED), policy)
    printRow([policy, String(fates.filter(({ ms }) => ms <= GRACE_MS).length)])
  }
}

async function printTooMuch(): Promise<void> {
  const { fates, mostQueuedItems, mostQueuedTokens } = await simulate(tooMuch(), 'engine')
  console.log(`\n300 jobs of 2,048 texts of 512 tokens at once: ${answered(fates).length} answered`)
  console.log(
    `at most ${mostQueuedItems} texts and ${mostQueuedTokens} tokens were in the queue, which holds 48000 and ${512 * 48_000}`,
  )
}

/** What the same rows would take in full batches without padding. */
function perfectMs({ device, limits }: NamedScene, arrivals: readonly Arrival[]): number {
  const [batchMs, tokenMs, pairMs] = device.costs
  const lengths = arrivals.flatMap((arrival) => arrival.lengths)
  const pairs = sum(lengths.map((length) => termsOf([length])[2]))
  const tokens = sum(lengths)
  return (batchMs * tokens) / limits.maxTokens + tokenMs * tokens + pairMs * pairs
}

/** What comes, by what a device could do at best in the time. */
function loadOf(scene: NamedScene): string {
  const spanMs = (scene.arrivals.at(-1)?.atMs ?? 0) - (scene.arrivals[0]?.atMs ?? 0)
  return (perfectMs(scene, scene.arrivals) / spanMs).toFixed(1)
}

function answered(fates: readonly Fate[]): Arrival[] {
  return fates.flatMap(({ arrival, end }) => (end === 'answered' ? [arrival] : []))
}

/** Of requests that had a batch's time to wait at least. */
function foretold(fates: readonly Fate[]): string {
  const ratios = fates.flatMap(({ end, ms, foretoldMs = 0 }) =>
    end === 'answered' && foretoldMs > 100 ? [ms / foretoldMs] : [],
  )
  if (ratios.length === 0) return ''
  return [0.1, 0.5, 0.9].map((share) => quantile(ratios, share).toFixed(1)).join(' ')
}

function waits(fates: readonly Fate[]): string {
  return shown(fates.filter(({ end }) => end === 'answered').map(({ ms }) => ms))
}

function shown(ms: readonly number[]): string {
  return ms.length === 0 ? 'none' : [0.5, 0.99].map((share) => Math.round(quantile(ms, share))).join(' / ')
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function printRow(cells: readonly string[]): void {
  console.log(`  ${cells.map((cell, index) => (index === 0 ? cell.padEnd(32) : cell.padStart(16))).join('')}`)
}
