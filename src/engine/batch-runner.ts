/** A batch on the device, to its end: delivery, and what happens when it fails. */
import type { BatchFacts } from '../base/metrics.ts'
import { ServerError, messageOf } from '../errors.ts'
import type { RaggedBatch, RunResult, Runner } from '../runtime/runner.ts'
import { joinRows } from '../runtime/runner.ts'
import type { BatchBudget } from './batch-budget.ts'
import type { ResultCache } from './result-cache.ts'
import type { RowGroup } from './row-group.ts'
import type { Item } from './row.ts'
import type { RanBatch } from './speed.ts'

export interface BatchRunnerOptions {
  /** The model, for errors and the cache. */
  readonly name: string
  readonly runner: Runner
  /** Told of what ran and of what found no room. */
  readonly budget: BatchBudget
  readonly now: () => number
  readonly cache?: ResultCache | undefined
  readonly onBatch?: ((batch: BatchFacts) => void) | undefined
  /** Told of every batch that ran. */
  readonly onRan: (batch: RanBatch) => void
  /** Items that got the result of another one. */
  readonly onDuplicates: (count: number) => void
  /** Its thread died over it, or its GPU was lost; it shall run again by itself. */
  readonly onDeath: (group: RowGroup) => void
  /** Told of every group, once it was delivered or has failed, or nobody waits for it. */
  readonly onEnd: (group: RowGroup) => void
}

/** Rows that died with their thread this often are taken to be the cause. */
const MAX_DEATHS = 2
/** Rows that were there when so many GPUs were lost may be the cause, or not: they are not given the next one. */
const MAX_LOSSES = 2

export class BatchRunner {
  readonly #options: BatchRunnerOptions

  constructor(options: BatchRunnerOptions) {
    this.#options = options
  }

  /**
   * Never rejects: what goes wrong becomes the failure of the requests concerned. `leftOthers`: more waited when it was taken.
   */
  async run(batch: readonly RowGroup[], leftOthers = false): Promise<void> {
    const { budget, now, onEnd, onRan, onBatch } = this.#options
    for (const group of batch) if (group.done) onEnd(group)
    const groups = batch.filter((group) => !group.done)
    if (groups.length === 0) return
    const startMs = now()
    const { maxTokens } = budget.limits
    let tokens: number
    let result: RunResult
    try {
      const joined = joinRows(groups)
      // Told before it runs: the runner takes the buffers over.
      tokens = joined.ids.length
      result = await this.#compute(joined)
    } catch (error) {
      return this.#recover(groups, error)
    }
    budget.confirm(lengthsOf(groups))
    onRan({ tokens, startMs, endMs: now(), leftOthers })
    const facts = { rows: groups.length, tokens, maxTokens, runMs: result.runMs }
    // In a turn of its own: what an observer throws is no failure of the batch.
    queueMicrotask(() => onBatch?.(facts))
    await this.#deliver(groups, result)
  }

  async #compute(batch: RaggedBatch): Promise<RunResult> {
    const { runner, name } = this.#options
    const result = await runner.run(batch)
    if (!batch.wantsTokens || result.tokens !== undefined) return result
    throw new ServerError('internal', `${name} was asked for token vectors and gave none`)
  }

  async #deliver(groups: readonly RowGroup[], result: RunResult): Promise<void> {
    for (const request of new Set(groups.flatMap(({ requests }) => requests))) {
      request.clock.countRun(result.runMs)
    }
    const nonFinite = new Set(result.nonFiniteRows)
    let duplicates = 0
    let from = 0
    for (const [b, group] of groups.entries()) {
      const to = from + group.ids.length
      if (!nonFinite.has(b)) duplicates += this.#deliverGroup(group, b, { ...result, from, to })
      from = to
    }
    if (duplicates > 0) queueMicrotask(() => this.#options.onDuplicates(duplicates))
    if (nonFinite.size === 0) return
    const [first] = groups
    if (groups.length === 1 && first !== undefined) return this.#failNonFinite(first)
    // Rows share matrix products, where one row's NaN spoils its neighbours: only one that does so alone is at fault.
    await this.#runHalves(
      groups.filter((_, b) => nonFinite.has(b)),
      groups.length,
    )
  }

  /** Row `b`, tokens `from` to `to` of the batch; says how many of its items the device was spared. */
  #deliverGroup(
    group: RowGroup,
    b: number,
    { rows, tokens, tokenBounds, from, to }: RunResult & { readonly from: number; readonly to: number },
  ): number {
    const { runner, name, cache, onEnd } = this.#options
    const { outputWidth, tokenWidth } = runner.limits
    const values = rows.subarray(b * outputWidth, (b + 1) * outputWidth)
    const answered = group.deliver(
      values,
      group.wantsTokens
        ? tokens?.subarray(tokenBounds?.[b] ?? from * tokenWidth, tokenBounds?.[b + 1] ?? to * tokenWidth)
        : undefined,
    )
    if (!group.wantsTokens) cache?.keep(name, group.key, values)
    onEnd(group)
    return Math.max(0, answered - 1)
  }

  /**
   * A batch that died with its thread, or with one GPU of several, runs again row by row; one that the device refused, or had
   * no room for, is halved down to the culprit.
   */
  async #recover(groups: readonly RowGroup[], error: unknown): Promise<void> {
    const { runner, budget } = this.#options
    const code = error instanceof ServerError ? error.code : 'internal'
    // At once, not when the halves have run: batches are formed meanwhile.
    if (code === 'out_of_memory') budget.refuse(lengthsOf(groups))
    if (code === 'thread_died') {
      for (const group of groups) this.#outliveThread(group, error)
    } else if (code === 'device_lost' && runner.healthy) {
      for (const group of groups) this.#outliveDevice(group, error)
    } else if ((code === 'inference_failed' || code === 'out_of_memory') && groups.length > 1) {
      await this.#runHalves(groups, groups.length)
    } else {
      for (const group of groups) this.#fail(group, (item) => named(error, item, group.ids.length))
    }
  }

  /** Runs some of a batch of `batchSize` in smaller batches. */
  async #runHalves(groups: readonly RowGroup[], batchSize: number): Promise<void> {
    const size = batchSize >> 1
    for (let from = 0; from < groups.length; from += size) await this.run(groups.slice(from, from + size))
  }

  #outliveThread(group: RowGroup, cause: unknown): void {
    group.deaths++
    if (group.deaths < MAX_DEATHS) return this.#options.onDeath(group)
    const times = `${group.deaths} times`
    this.#fail(group, ({ request, index }) => {
      const message = `${request.noun} ${index} ended the inference thread ${times} and is not tried again`
      return new ServerError('poisoned_input', message, { cause })
    })
  }

  #outliveDevice(group: RowGroup, cause: unknown): void {
    group.losses++
    if (group.losses < MAX_LOSSES) return this.#options.onDeath(group)
    const what = `was under way on ${group.losses} GPUs when they were lost and is not tried again`
    this.#fail(group, ({ request, index }) => {
      const message = `${request.noun} ${index} ${what}: ${messageOf(cause)}`
      return new ServerError('device_lost', message, { cause })
    })
  }

  #failNonFinite(group: RowGroup): void {
    const what = `${this.#options.name} computed a value that is not a finite number; nothing is returned`
    this.#fail(
      group,
      ({ request, index }) => new ServerError('non_finite_output', `${request.noun} ${index}: ${what}`),
    )
  }

  #fail(group: RowGroup, errorOf: (item: Item) => unknown): void {
    group.fail(errorOf)
    this.#options.onEnd(group)
  }
}

function lengthsOf(groups: readonly RowGroup[]): number[] {
  return groups.map(({ ids }) => ids.length)
}

function named(error: unknown, { request, index }: Item, tokenCount: number): unknown {
  if (!(error instanceof ServerError)) return error
  const { code, message } = error
  const item = `${request.noun} ${index}`
  if (code === 'inference_failed') return new ServerError(code, `${item}: ${message}`, { cause: error })
  if (code !== 'out_of_memory') return error
  const what = `${item} has ${tokenCount} tokens, more than the device has memory for, even by itself`
  return new ServerError(code, `${what}: ${message}`, { cause: error })
}
