/** One model's queue and device: admission, batching, delivery, and what happens when a batch fails. */
import type { BatchFacts } from '../base/metrics.ts'
import { ServerError, cancelled, stopping } from '../errors.ts'
import type { Runner, RunResult } from '../runtime/runner.ts'
import { joinRows } from '../runtime/runner.ts'
import type { CallOptions, ModelStats } from '../task.ts'
import type { TokenizedRows } from '../tokenize/tokenizer.ts'
import { Admission } from './admission.ts'
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
  readonly onBatch?: ((batch: BatchFacts) => void) | undefined
}

export interface Submission {
  /** What errors call an item. */
  readonly noun: string
  /** Characters of each item: what is tokenized at a time is bounded by them. */
  readonly sizes: readonly number[]
  /** Rows of items `from` to `to`; called with ascending ranges, one at a time. */
  readonly tokenize: (from: number, to: number) => Promise<TokenizedRows>
  /** Nothing runs before every item is tokenized: where a later one may still be refused. */
  readonly tokenizeFirst: boolean
  readonly options: CallOptions
}

export interface LaneResult {
  /** [items, width] */
  readonly rows: Float32Array
  readonly textTokens: number
  readonly runMs: number
}

/** Items, and characters, tokenized at a time: the first batch leaves early, and others get their turn between chunks. */
const CHUNK_ITEMS = 64
const CHUNK_CHARACTERS = 262_144

/** Rows of a request that wait ready: more would only take memory, and tokenizer time from requests that came later. */
const READY_ROWS = 512

/** Rows that died with their thread this often are taken to be the cause. */
const MAX_DEATHS = 2

export class ModelLane {
  readonly #options: LaneOptions
  readonly #admission: Admission
  readonly #room = new WaitingRoom()
  readonly #requests = new Set<PendingRequest>()
  /** Told after every batch that is taken. */
  #onBatch = Promise.withResolvers<void>()
  #runningBatches = 0
  /** A row that may kill the thread runs while nothing else does. */
  #runningAlone = false
  #closed = false

  constructor(options: LaneOptions) {
    this.#options = options
    this.#admission = new Admission(options)
  }

  get stats(): ModelStats {
    const { queuedItems, heldRequests } = this.#admission
    return {
      queuedItems,
      heldRequests,
      waitingTokens: this.#room.tokens,
      runningBatches: this.#runningBatches,
    }
  }

  /**
   * Takes a request whole, or throws what `Admission.admit` throws. Then resolves once every row is in, or throws what
   * befell the first row to fail.
   */
  async submit(submission: Submission): Promise<LaneResult> {
    const { sizes, noun } = submission
    const { signal, whenFull = 'refuse', onProgress } = submission.options
    if (signal?.aborted) throw cancelled()
    if (this.#closed) throw stopping()
    const held = this.#admission.admit({ itemCount: sizes.length, noun, whenFull, signal })
    if (held !== undefined) {
      await held
      // Here and not in a function that is awaited: between its return and the next line both could still come true.
      if (signal?.aborted || this.#closed) {
        this.#admission.release(sizes.length)
        throw this.#closed ? stopping() : cancelled()
      }
    }
    // Items admitted but not yet in the waiting room.
    let untokenized = sizes.length
    const request = new PendingRequest({
      rowCount: sizes.length,
      width: this.#options.runner.limits.outputWidth,
      noun,
      onProgress,
      onFailure: () => this.#admission.release(this.#room.remove(request)),
    })
    const onAbort = () => request.fail(cancelled())
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#requests.add(request)
    try {
      const textTokens = await this.#feed(submission, request, (count) => (untokenized -= count))
      return { rows: await request.result, textTokens, runMs: request.runMs }
    } catch (error) {
      request.fail(error)
      throw error
    } finally {
      signal?.removeEventListener('abort', onAbort)
      this.#requests.delete(request)
      this.#admission.release(untokenized)
    }
  }

  /** What waits or runs fails with `stopping`, and so does what comes. */
  async close(): Promise<void> {
    this.#closed = true
    this.#admission.close(stopping())
    for (const request of this.#requests) request.fail(stopping())
    await this.#options.runner.close()
  }

  /** Tokenizes a request chunk by chunk, not far ahead of the device. Throws as soon as the request has failed. */
  async #feed(
    submission: Submission,
    request: PendingRequest,
    onAdd: (count: number) => void,
  ): Promise<number> {
    const { sizes, tokenize, tokenizeFirst } = submission
    const failure = request.result.then(() => {})
    failure.catch(() => {})
    const held: Row[] = []
    let textTokens = 0
    for (let from = 0; from < sizes.length;) {
      const to = endOfChunk(sizes, from)
      // The failure of another row, or the caller's end, must not wait for the tokenizer.
      const rows = await Promise.race([tokenize(from, to), failure])
      if (rows === undefined || request.done) break
      textTokens += rows.textTokens
      held.push(...cutRows(rows, request, from))
      if (!tokenizeFirst || to === sizes.length) {
        onAdd(held.length)
        this.#room.add(held.splice(0))
        this.#pump()
      }
      while (this.#room.countOf(request) > READY_ROWS) await Promise.race([this.#onBatch.promise, failure])
      from = to
    }
    return textTokens
  }

  /** No timers: a batch leaves whenever the device can take one and anything waits. */
  #pump(): void {
    while (this.#runningBatches < this.#options.runner.depth && !this.#runningAlone) {
      const alone = this.#room.holdsAlone
      if (alone && this.#runningBatches > 0) return
      const batch = this.#room.takeBatch(this.#options.limits)
      if (batch.length === 0) return
      this.#admission.release(batch.length)
      this.#runningBatches++
      this.#runningAlone = alone
      this.#onBatch.resolve()
      this.#onBatch = Promise.withResolvers()
      void this.#run(batch).finally(() => {
        this.#runningBatches--
        this.#runningAlone = false
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
      const joined = joinRows(rows)
      const batchTokens = joined.ids.length
      const result = await this.#options.runner.run(joined)
      this.#admission.noteSpeed(rows.length, this.#options.now() - start)
      this.#options.onBatch?.({
        rows: rows.length,
        tokens: batchTokens,
        maxTokens: this.#options.limits.maxTokens,
        runMs: result.runMs,
      })
      await this.#deliver(rows, result)
    } catch (error) {
      await this.#recover(rows, error)
    }
  }

  async #deliver(rows: readonly Row[], { rows: values, nonFiniteRows, runMs }: RunResult): Promise<void> {
    const width = this.#options.runner.limits.outputWidth
    for (const request of new Set(rows.map((row) => row.request))) request.countRun(runMs)
    const nonFinite = new Set(nonFiniteRows)
    for (const [b, row] of rows.entries()) {
      if (!nonFinite.has(b)) row.request.deliver(row.index, values.subarray(b * width, (b + 1) * width))
    }
    if (nonFinite.size === 0) return
    const [first] = rows
    if (rows.length === 1 && first !== undefined) {
      first.request.fail(
        new ServerError(
          'non_finite_output',
          `${first.request.noun} ${first.index}: ${this.#options.name} computed a value that is not a finite number; nothing is returned`,
        ),
      )
      return
    }
    // Rows share matrix products, where one row's NaN spoils its neighbours: only one that does so alone is at fault.
    await this.#runHalves(
      rows.filter((_, b) => nonFinite.has(b)),
      rows.length,
    )
  }

  /** A batch that died with its thread runs again row by row; one that the device refused is halved down to the culprit. */
  async #recover(rows: readonly Row[], error: unknown): Promise<void> {
    const code = error instanceof ServerError ? error.code : 'internal'
    if (code === 'thread_died' && !this.#closed) {
      for (const row of rows) this.#runAgain(row, error)
    } else if (code === 'inference_failed' && rows.length > 1) {
      await this.#runHalves(rows, rows.length)
    } else {
      for (const row of rows) row.request.fail(named(error, row))
    }
  }

  /** Runs rows of a batch of `batchSize` in smaller batches. */
  async #runHalves(rows: readonly Row[], batchSize: number): Promise<void> {
    const size = batchSize >> 1
    for (let from = 0; from < rows.length; from += size) await this.#run(rows.slice(from, from + size))
  }

  #runAgain(row: Row, error: unknown): void {
    row.deaths++
    if (row.request.done) return
    if (row.deaths < MAX_DEATHS) {
      this.#admission.takeBack(1)
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

function endOfChunk(sizes: readonly number[], from: number): number {
  let characters = 0
  let to = from
  while (to < sizes.length && to - from < CHUNK_ITEMS) {
    characters += sizes[to] as number
    if (to > from && characters > CHUNK_CHARACTERS) break
    to++
  }
  return to
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

function named(error: unknown, row: Row): unknown {
  if (!(error instanceof ServerError) || error.code !== 'inference_failed') return error
  return new ServerError('inference_failed', `${row.request.noun} ${row.index}: ${error.message}`, {
    cause: error,
  })
}
