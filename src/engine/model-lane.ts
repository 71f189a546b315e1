/** One model's queue and device: admission, batching, and what may be computed once for many. */
import type { BatchFacts } from '../base/metrics.ts'
import { cancelled, stopping } from '../errors.ts'
import type { Runner } from '../runtime/runner.ts'
import type { ModelStats } from '../task.ts'
import { Admission } from './admission.ts'
import { BatchBudget } from './batch-budget.ts'
import { BatchRunner } from './batch-runner.ts'
import { feedRows, tokensOf } from './feed-rows.ts'
import { PendingRequest } from './pending-request.ts'
import type { Place } from './place.ts'
import { RequestClock } from './request-clock.ts'
import type { ResultCache } from './result-cache.ts'
import type { RowGroup } from './row-group.ts'
import type { Item, Row } from './row.ts'
import type { LaneResult, Submission } from './submission.ts'
import { TokenEstimate } from './token-estimate.ts'
import type { BatchLimits } from './waiting-room.ts'
import { WaitingRoom } from './waiting-room.ts'

export type { LaneResult, Submission } from './submission.ts'

/** Where the result of an item came from that was not computed for it: an identical one under way, or an earlier one. */
export type ReuseSource = 'duplicate' | 'cache'

export interface LaneOptions {
  readonly name: string
  readonly runner: Runner
  /** Until the device runs out of memory: then they are lowered, and stay so. */
  readonly limits: BatchLimits
  /** Items that may wait: INFINITY_QUEUE_SIZE. */
  readonly queueSize: number
  /** Tokens that may wait: MAX_QUEUE_TOKENS. */
  readonly queueTokens: number
  /** That a row may have by the model's files, where that is fewer than by the runner. */
  readonly maxRowTokens?: number | undefined
  /** Milliseconds, from any fixed point. */
  readonly now: () => number
  /** May serve other lanes too. */
  readonly cache?: ResultCache | undefined
  readonly onBatch?: ((batch: BatchFacts) => void) | undefined
  readonly onReuse?: ((itemCount: number, source: ReuseSource) => void) | undefined
  /** Told when the device ran out of memory and batches are smaller from now on: tokens that they may have. */
  readonly onBudget?: ((maxTokens: number) => void) | undefined
}

/** Rows of a request that wait ready: more would only take memory, and tokenizer time from requests that came later. */
const READY_ROWS = 512

export class ModelLane {
  readonly #options: LaneOptions
  readonly #admission: Admission
  readonly #estimate: TokenEstimate
  readonly #budget: BatchBudget
  readonly #batches: BatchRunner
  readonly #room: WaitingRoom
  readonly #requests = new Set<PendingRequest>()
  /** What the device has, or is to run again, by key: a duplicate need not wait in line. */
  readonly #underWay = new Map<string, RowGroup>()
  /** Told after every batch that is taken. */
  #onBatch = Promise.withResolvers<void>()
  #runningBatches = 0
  #toldMaxTokens: number
  /** A row that may kill the thread runs while nothing else does. */
  #runningAlone = false
  #closed = false

  constructor(options: LaneOptions) {
    this.#options = options
    this.#admission = new Admission(options)
    this.#estimate = new TokenEstimate(options.maxRowTokens ?? options.runner.limits.maxTokens)
    this.#room = new WaitingRoom(options.limits)
    this.#budget = new BatchBudget(options.limits)
    this.#toldMaxTokens = options.limits.maxTokens
    this.#batches = new BatchRunner({
      ...options,
      budget: this.#budget,
      onRan: (batch) => this.#admission.speed.note(batch),
      onDuplicates: (count) => options.onReuse?.(count, 'duplicate'),
      onDeath: (group) => this.#waitAlone(group),
      onEnd: (group) => this.#leave(group),
    })
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

  /** Tokens that a batch may have, now. */
  get maxBatchTokens(): number {
    return this.#budget.limits.maxTokens
  }

  /**
   * Takes a request whole, or throws what `Admission.admit` throws. Then resolves once every row is in, or throws what
   * befell the first row to fail.
   */
  async submit(submission: Submission): Promise<LaneResult> {
    const { sizes, noun, knownTokens, readyRows = READY_ROWS } = submission
    const { signal, whenFull = 'refuse', priority = 'normal', withinMs } = submission.options
    if (signal?.aborted) throw cancelled()
    if (this.#closed) throw stopping()
    const estimates = this.#estimate.of(sizes, knownTokens)
    // Admitted but not yet in the waiting room.
    const untokenized = { items: sizes.length, tokens: estimates.reduce((sum, tokens) => sum + tokens, 0) }
    const { items: itemCount, tokens } = untokenized
    // What the cache will answer is not known yet: nobody is refused then for work that there may not be.
    const mayBeKnown = this.#options.cache !== undefined && !submission.wantsTokens
    const asked = { estimates, knownTokens, texts: submission.texts }
    const deadline = this.#estimate.deadlineOf(mayBeKnown ? undefined : withinMs, asked)
    let place = this.#admission.admit({ itemCount, tokens, priority, noun, whenFull, signal, ...deadline })
    if (place instanceof Promise) {
      place = await place
      // Here and not in a function that is awaited: between its return and the next line both could still come true.
      if (signal?.aborted || this.#closed) {
        this.#admission.release(place, untokenized.items, untokenized.tokens)
        throw this.#closed ? stopping() : cancelled()
      }
    }
    const request = this.#open(submission, place)
    const onAbort = () => request.fail(cancelled())
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      const fed = await feedRows({
        ...submission,
        request,
        add: (rows) => {
          const estimated = rows.reduce((sum, { index }) => sum + (estimates[index] as number), 0)
          untokenized.items -= rows.length
          untokenized.tokens -= estimated
          this.#admission.correct(request.place, tokensOf(rows) - estimated)
          this.#enter(request, rows)
        },
        onWhole: (rows) => this.#estimate.noteRows(sizes, rows),
        hasRoom: () => (this.#room.countOf(request) > readyRows ? this.#onBatch.promise : undefined),
      })
      return { ...(await request.result), ...fed, timing: request.clock.timing }
    } catch (error) {
      request.fail(error)
      throw error
    } finally {
      signal?.removeEventListener('abort', onAbort)
      this.#requests.delete(request)
      this.#admission.release(place, untokenized.items, untokenized.tokens)
    }
  }

  /** From here on requests are finished one by one, the most urgent first, so that most are answered before time is up. */
  drain(): void {
    this.#room.drain()
  }

  /** What waits or runs fails with `stopping`, and so does what comes. */
  async close(): Promise<void> {
    this.#closed = true
    this.#admission.close(stopping())
    for (const request of this.#requests) request.fail(stopping())
    await this.#options.runner.close()
  }

  #open({ sizes, noun, keepTokens, onDelivered, options }: Submission, place: Place): PendingRequest {
    const request = new PendingRequest({
      rowCount: sizes.length,
      width: this.#options.runner.limits.outputWidth,
      noun,
      clock: new RequestClock(this.#options.now),
      place,
      keepTokens,
      onProgress: options.onProgress,
      onDelivered,
      onFailure: () => this.#forget(request),
    })
    this.#requests.add(request)
    return request
  }

  /** A row waits in line only where its result is neither known nor on its way. */
  #enter(request: PendingRequest, rows: readonly Row[]): void {
    const { name, cache, onReuse } = this.#options
    const known: { readonly index: number; readonly values: Float32Array }[] = []
    const waiting: Row[] = []
    for (const row of rows) {
      // A row that wants token vectors finds none: they are not kept, and its key is not that of one without.
      const values = cache?.find(name, row.key)
      const group = this.#underWay.get(row.key)
      if (values !== undefined) known.push({ index: row.index, values })
      else if (group !== undefined) group.join(row)
      else waiting.push(row)
    }
    this.#admission.release(request.place, rows.length - waiting.length, tokensOf(rows) - tokensOf(waiting))
    request.clock.count(waiting.length, 0)
    this.#room.add(waiting)
    this.#room.reorder(request)
    this.#pump()
    for (const { index, values } of known) request.deliver(index, values)
    if (known.length > 0) onReuse?.(known.length, 'cache')
  }

  /** Drops what waits for a request that has failed, but not what others wait for too. */
  #forget(request: PendingRequest): void {
    const { rows, tokens } = this.#room.remove(request)
    const groups = this.#room.removeDone()
    this.#admission.release(request.place, rows, tokens)
    for (const group of groups) {
      this.#leave(group)
      this.#admission.release(placeOf(group), 1, group.ids.length)
    }
  }

  /** Its key may be another group's by now. */
  #leave(group: RowGroup): void {
    if (this.#underWay.get(group.key) === group) this.#underWay.delete(group.key)
  }

  /** In the queue a group counts as one item, however many joined it: they were let out of it before. */
  #waitAlone(group: RowGroup): void {
    this.#admission.takeBack(placeOf(group), 1, group.ids.length)
    group.waitAgain()
    this.#room.addAlone(group)
  }

  /** No timers: a batch leaves whenever the device can take one and anything waits. */
  #pump(): void {
    while (this.#runningBatches < this.#options.runner.depth && !this.#runningAlone) {
      const alone = this.#room.holdsAlone
      if (alone && this.#runningBatches > 0) return
      const batch = this.#room.takeBatch(this.#budget.limits)
      if (batch.length === 0) return
      const leftOthers = !this.#room.isEmpty
      for (const group of batch) {
        this.#letOut(group, alone)
        this.#underWay.set(group.key, group)
        group.start()
      }
      this.#runningBatches++
      this.#runningAlone = alone
      this.#onBatch.resolve()
      this.#onBatch = Promise.withResolvers()
      void this.#batches.run(batch, leftOthers).finally(() => {
        this.#runningBatches--
        this.#runningAlone = false
        this.#tellBudget()
        this.#pump()
      })
    }
  }

  #letOut(group: RowGroup, alone: boolean): void {
    const { length } = group.ids
    if (alone) return this.#admission.release(placeOf(group), 1, length)
    for (const { request } of group.items) this.#admission.release(request.place, 1, length)
  }

  /** Once for a batch and all its halves. */
  #tellBudget(): void {
    const { maxBatchTokens } = this
    if (maxBatchTokens === this.#toldMaxTokens) return
    this.#toldMaxTokens = maxBatchTokens
    this.#options.onBudget?.(maxBatchTokens)
  }
}

/** A group that runs again waits in the place of its first item's request. */
function placeOf({ items: [first] }: RowGroup): Place {
  return (first as Item).request.place
}
