/** A lane over a fake device, and requests for it given as ids. */
import type { BatchLimits } from '../../src/engine/waiting-room.ts'
import type { LaneOptions, LaneResult, Submission } from '../../src/engine/model-lane.ts'
import { ModelLane } from '../../src/engine/model-lane.ts'
import { joinIds } from './rows.ts'
import { FakeRunner, settle, type FakeRunnerOptions } from './runner.ts'

export interface FakeLaneOptions extends FakeRunnerOptions {
  readonly name?: string
  readonly queueSize?: number
  readonly queueTokens?: number
  readonly maxRows?: number
  readonly maxRowTokens?: LaneOptions['maxRowTokens']
  readonly limitsOfBatch?: BatchLimits
  readonly cache?: LaneOptions['cache']
  readonly onBatch?: LaneOptions['onBatch']
  readonly onReuse?: LaneOptions['onReuse']
  readonly onBudget?: LaneOptions['onBudget']
}

export interface FakeLane {
  readonly runner: FakeRunner
  readonly lane: ModelLane
  /** The lane's clock, in milliseconds. */
  readonly clock: { ms: number }
}

export function openLane(options: FakeLaneOptions = {}): FakeLane {
  const { name = 'fake-model', queueSize = 1000, maxRows = 4, cache, onBatch, onReuse, onBudget } = options
  const { queueTokens = 512 * queueSize, maxRowTokens } = options
  const { limitsOfBatch = { maxRows, maxTokens: 512, maxPaddedTokens: 1024 } } = options
  const runner = new FakeRunner(options)
  const clock = { ms: 0 }
  const now = () => clock.ms
  const lane = new ModelLane({
    name,
    runner,
    limits: limitsOfBatch,
    queueSize,
    queueTokens,
    maxRowTokens,
    now,
    cache,
    onBatch,
    onReuse,
    onBudget,
  })
  return { runner, lane, clock }
}

/** A request of these rows, tokenized at once unless told otherwise. */
export function requestOf(
  rows: readonly (readonly number[])[],
  options: Partial<Submission> = {},
): Submission {
  return {
    noun: 'text',
    sizes: rows.map((ids) => ids.length),
    tokenizeFirst: false,
    wantsTokens: false,
    tokenize: async (from, to) => joinIds(rows.slice(from, to)),
    options: {},
    ...options,
  }
}

/** `count` rows of one token each: the ids from `first` on. */
export function oneTokenRows(first: number, count: number): number[][] {
  return Array.from({ length: count }, (_, index) => [first + index])
}

/** The first id of every answered row, as the device's echo tells. */
export function firstIds({ rows }: LaneResult, width = 3): number[] {
  return Array.from(rows).filter((_, index) => index % width === 0)
}

/** How a promise ended, for those that a test looks at later. */
export async function outcome<T>(
  promise: Promise<T>,
): Promise<T | { readonly code: unknown; readonly message: string }> {
  return promise.catch((error: Error & { code?: unknown }) => ({ code: error.code, message: error.message }))
}

/** One request holds the device, so that the others are waiting together when it is free. */
export async function together<T>(fake: FakeLane, submit: () => T): Promise<T> {
  const plug = fake.lane.submit(requestOf([[999]]))
  await settle()
  const submitted = submit()
  await settle()
  fake.runner.finish()
  await plug
  fake.runner.batches.shift()
  return submitted
}
