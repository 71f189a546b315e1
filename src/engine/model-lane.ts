/** One model's queue and device: admission, batching, delivery, and what happens when a batch fails. */
import { ServerError } from '../errors.ts'
import type { RaggedBatch, Runner } from '../runtime/runner.ts'
import type { TokenizedRows } from '../tokenize/tokenizer.ts'
import { PendingRequest } from './pending-request.ts'
import type { Row } from './row.ts'
import type { BatchLimits } from './waiting-room.ts'
import { WaitingRoom } from './waiting-room.ts'

export interface LaneOptions {
  readonly name: string
  readonly runner: Runner
  readonly limits: BatchLimits
  /** Items that may wait: INFINITY_QUEUE_SIZE. */
  readonly queueSize: number
  /** Milliseconds, from any fixed point. */
  readonly now: () => number
}

export interface Submission {
  readonly itemCount: number
  /** What errors call an item. */
  readonly noun: string
  /** Rows of items `from` to `to`; called with ascending ranges, one at a time. */
  readonly tokenize: (from: number, to: number) => Promise<TokenizedRows>
  readonly signal: AbortSignal | undefined
}

export interface LaneResult {
  /** [items, width] */
  readonly rows: Float32Array
  readonly textTokens: number
  readonly runMs: number
}

/** Items tokenized at a time: the first batch leaves early, and a long job leaves room for others between its chunks. */
const CHUNK_ITEMS = 64

/** Rows that died with their thread this often are taken to be the cause. */
const MAX_DEATHS = 2

export class ModelLane {
  readonly #options: LaneOptions
  readonly #room = new WaitingRoom()
  /** Admitted items that no batch holds yet, tokenized or not. */
  #queuedItems = 0
  #runningBatches = 0
  /** Items a millisecond, over the last batches. */
  #speed = 0

  constructor(options: LaneOptions) {
    this.#options = options
  }

  get stats(): { queuedItems: number; runningBatches: number } {
    return { queuedItems: this.#queuedItems, runningBatches: this.#runningBatches }
  }

  /**
   * Takes a request whole or throws: `request_too_large` where the queue could never hold it, `overloaded` where it
   * can't now. Then resolves once every row is in, or throws what befell the first row to fail.
   */
  async submit({ itemCount, noun, tokenize, signal }: Submission): Promise<LaneResult> {
    throwIfCancelled(signal)
    this.#admit(itemCount, noun)
    const { runner } = this.#options
    const request = new PendingRequest(itemCount, runner.limits.outputWidth, noun)
    // Items admitted but not yet in the waiting room.
    let untokenized = itemCount
    const onAbort = () => request.fail(cancelled())
    signal?.addEventListener('abort', onAbort, { once: true })
    let textTokens = 0
    try {
      for (let from = 0; from < itemCount && !request.done; from += CHUNK_ITEMS) {
        const to = Math.min(from + CHUNK_ITEMS, itemCount)
        const rows = await tokenize(from, to)
        if (request.done) break
        textTokens += rows.textTokens
        untokenized -= to - from
        this.#room.add(cutRows(rows, request, from))
        this.#pump()
      }
      const rows = await request.result
      return { rows, textTokens, runMs: request.runMs }
    } catch (error) {
      request.fail(error)
      throw error
    } finally {
      signal?.removeEventListener('abort', onAbort)
      this.#queuedItems -= untokenized + this.#room.remove(request)
    }
  }

  close(): Promise<void> {
    return this.#options.runner.close()
  }

  #admit(itemCount: number, noun: string): void {
    const { queueSize, name } = this.#options
    if (itemCount > queueSize) {
      throw new ServerError(
        'request_too_large',
        `the request has ${itemCount} ${noun}s; ${name} queues at most ${queueSize} (INFINITY_QUEUE_SIZE)`,
      )
    }
    if (this.#queuedItems + itemCount > queueSize) {
      const retryAfterMs = Math.min(60_000, Math.max(1000, this.#queuedItems / (this.#speed || 1)))
      throw new ServerError(
        'overloaded',
        `the queue of ${name} holds ${this.#queuedItems} items; ${itemCount} more would pass its limit of ${queueSize}`,
        { retryAfterMs },
      )
    }
    this.#queuedItems += itemCount
  }

  /** No timers: a batch leaves whenever the device can take one and anything waits. */
  #pump(): void {
    while (this.#runningBatches < this.#options.runner.depth) {
      const batch = this.#room.takeBatch(this.#options.limits)
      if (batch.length === 0) return
      this.#queuedItems -= batch.length
      this.#runningBatches++
      void this.#run(batch).finally(() => {
        this.#runningBatches--
        this.#pump()
      })
    }
  }

  /** Never rejects: what goes wrong becomes the failure of the requests concerned. */
  async #run(batch: readonly Row[]): Promise<void> {
    const rows = batch.filter((row) => !row.request.done)
    if (rows.length === 0) return
    const start = this.#options.now()
    try {
      const result = await this.#options.runner.run(joinRows(rows))
      this.#deliver(rows, result)
      const speed = rows.length / Math.max(0.01, this.#options.now() - start)
      this.#speed = this.#speed === 0 ? speed : 0.8 * this.#speed + 0.2 * speed
    } catch (error) {
      await this.#recover(rows, error)
    }
  }

  #deliver(
    rows: readonly Row[],
    result: { rows: Float32Array; nonFiniteRows: readonly number[]; runMs: number },
  ): void {
    const width = this.#options.runner.limits.outputWidth
    for (const request of new Set(rows.map((row) => row.request))) request.countRun(result.runMs)
    const nonFinite = new Set(result.nonFiniteRows)
    for (const [b, row] of rows.entries()) {
      if (nonFinite.has(b)) {
        row.request.fail(
          new ServerError(
            'non_finite_output',
            `${row.request.noun} ${row.index}: ${this.#options.name} computed a value that is not a finite number; nothing is returned`,
          ),
        )
      } else {
        row.request.deliver(row.index, result.rows.subarray(b * width, (b + 1) * width))
      }
    }
  }

  /** A batch that died with its thread runs again row by row; one that the device refused is halved down to the culprit. */
  async #recover(rows: readonly Row[], error: unknown): Promise<void> {
    const code = error instanceof ServerError ? error.code : 'internal'
    if (code === 'thread_died') {
      for (const row of rows) this.#runAgain(row, error)
      return
    }
    if (code === 'inference_failed' && rows.length > 1) {
      const middle = rows.length >> 1
      await this.#run(rows.slice(0, middle))
      await this.#run(rows.slice(middle))
      return
    }
    for (const row of rows) row.request.fail(named(error, row))
  }

  #runAgain(row: Row, error: unknown): void {
    row.deaths++
    if (row.deaths < MAX_DEATHS) {
      this.#queuedItems++
      this.#room.addAlone(row)
      return
    }
    row.request.fail(
      new ServerError(
        'poisoned_input',
        `${row.request.noun} ${row.index} ended the inference thread ${row.deaths} times and is not tried again`,
        { cause: error },
      ),
    )
  }
}

function cutRows(rows: TokenizedRows, request: PendingRequest, firstIndex: number): Row[] {
  return Array.from({ length: rows.bounds.length - 1 }, (_, b) => ({
    request,
    index: firstIndex + b,
    ids: rows.ids.subarray(rows.bounds[b], rows.bounds[b + 1]),
    typeStart: rows.typeStarts[b] as number,
    unpooledTokens: rows.unpooledTokens[b] as number,
    deaths: 0,
  }))
}

function joinRows(rows: readonly Row[]): RaggedBatch {
  const bounds = new Int32Array(rows.length + 1)
  for (const [b, row] of rows.entries()) bounds[b + 1] = (bounds[b] as number) + row.ids.length
  const ids = new Int32Array(bounds[rows.length] as number)
  for (const [b, row] of rows.entries()) ids.set(row.ids, bounds[b])
  return {
    ids,
    bounds,
    typeStarts: Int32Array.from(rows, (row) => row.typeStart),
    unpooledTokens: Int32Array.from(rows, (row) => row.unpooledTokens),
  }
}

function named(error: unknown, row: Row): unknown {
  if (!(error instanceof ServerError) || error.code !== 'inference_failed') return error
  return new ServerError('inference_failed', `${row.request.noun} ${row.index}: ${error.message}`, {
    cause: error,
  })
}

function cancelled(): ServerError {
  return new ServerError('cancelled', 'the request was cancelled')
}

function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw cancelled()
}
