/** A batch on the device, to its end: delivery, and what happens when it fails. */
import type { BatchFacts } from '../base/metrics.ts'
import { ServerError } from '../errors.ts'
import type { RaggedBatch, RunResult, Runner } from '../runtime/runner.ts'
import { joinRows } from '../runtime/runner.ts'
import type { ResultCache } from './result-cache.ts'
import type { RowGroup } from './row-group.ts'
import type { Item } from './row.ts'

export interface BatchRunnerOptions {
  /** The model, for errors and the cache. */
  readonly name: string
  readonly runner: Runner
  /** Tokens that a batch may have. */
  readonly maxTokens: number
  readonly now: () => number
  readonly cache?: ResultCache | undefined
  readonly onBatch?: ((batch: BatchFacts) => void) | undefined
  /** Told of every batch that ran: the items that it answers, and how long they took. */
  readonly onSpeed: (itemCount: number, ms: number) => void
  /** Items that got the result of another one. */
  readonly onDuplicates: (count: number) => void
  /** Its thread died over it; it shall run again by itself. */
  readonly onDeath: (group: RowGroup) => void
  /** Told of every group, once it was delivered or has failed, or nobody waits for it. */
  readonly onEnd: (group: RowGroup) => void
}

/** Rows that died with their thread this often are taken to be the cause. */
const MAX_DEATHS = 2

export class BatchRunner {
  readonly #options: BatchRunnerOptions

  constructor(options: BatchRunnerOptions) {
    this.#options = options
  }

  /** Never rejects: what goes wrong becomes the failure of the requests concerned. */
  async run(batch: readonly RowGroup[]): Promise<void> {
    const { maxTokens, now, onEnd, onSpeed, onBatch } = this.#options
    for (const group of batch) if (group.done) onEnd(group)
    const groups = batch.filter((group) => !group.done)
    if (groups.length === 0) return
    const startMs = now()
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
    onSpeed(
      groups.reduce((sum, { items }) => sum + items.length, 0),
      now() - startMs,
    )
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
    { rows, tokens, from, to }: RunResult & { readonly from: number; readonly to: number },
  ): number {
    const { runner, name, cache, onEnd } = this.#options
    const { outputWidth, tokenWidth } = runner.limits
    const values = rows.subarray(b * outputWidth, (b + 1) * outputWidth)
    const answered = group.deliver(
      values,
      group.wantsTokens ? tokens?.subarray(from * tokenWidth, to * tokenWidth) : undefined,
    )
    if (!group.wantsTokens) cache?.keep(name, group.key, values)
    onEnd(group)
    return Math.max(0, answered - 1)
  }

  /** A batch that died with its thread runs again row by row; one that the device refused is halved down to the culprit. */
  async #recover(groups: readonly RowGroup[], error: unknown): Promise<void> {
    const code = error instanceof ServerError ? error.code : 'internal'
    if (code === 'thread_died') {
      for (const group of groups) this.#runAgain(group, error)
    } else if (code === 'inference_failed' && groups.length > 1) {
      await this.#runHalves(groups, groups.length)
    } else {
      for (const group of groups) this.#fail(group, (item) => named(error, item))
    }
  }

  /** Runs some of a batch of `batchSize` in smaller batches. */
  async #runHalves(groups: readonly RowGroup[], batchSize: number): Promise<void> {
    const size = batchSize >> 1
    for (let from = 0; from < groups.length; from += size) await this.run(groups.slice(from, from + size))
  }

  #runAgain(group: RowGroup, cause: unknown): void {
    group.deaths++
    if (group.deaths < MAX_DEATHS) return this.#options.onDeath(group)
    const times = `${group.deaths} times`
    this.#fail(group, ({ request, index }) => {
      const message = `${request.noun} ${index} ended the inference thread ${times} and is not tried again`
      return new ServerError('poisoned_input', message, { cause })
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

function named(error: unknown, { request, index }: Item): unknown {
  if (!(error instanceof ServerError) || error.code !== 'inference_failed') return error
  return new ServerError('inference_failed', `${request.noun} ${index}: ${error.message}`, { cause: error })
}
