/** Rows that wait for the device, and the policy by which a batch is taken from them. No clock: order is time. */
import type { Priority } from '../task.ts'
import { ByTokensLeft } from './by-tokens-left.ts'
import { Draft } from './draft.ts'
import type { PendingRequest } from './pending-request.ts'
import { PRIORITIES } from './place.ts'
import { RowGroup } from './row-group.ts'
import type { Row } from './row.ts'
import { RowsByKey } from './rows-by-key.ts'
import type { Waiting } from './waiting-rows.ts'
import { leave, openWaiting, rowsLike, takeNearest, takeOldest } from './waiting-rows.ts'

export interface BatchLimits {
  readonly maxRows: number
  /** Tokens of a batch; a single row may have more. */
  readonly maxTokens: number
  /** Rows times the longest of them: what attention, which alone is padded, works on. */
  readonly maxPaddedTokens: number
  /**
   * Where batches take long: tokens up to which larger requests fill a batch while such as have no more than so many come, so
   * that these wait for less. Undefined: up to the limit, always.
   */
  readonly sharedTokens?: number | undefined
}

/** Requests of one priority. */
interface Line {
  /** In the order in which they were last served, or came. */
  readonly turns: Map<PendingRequest, Waiting>
  readonly byLeft: ByTokensLeft<Waiting>
}

/** A batch is sent rather than searched on after so many requests in a row without a row that fits: of thousands none may have one. */
const MOST_MISSES = 32

/**
 * Of the tokens that are shared, the part below which requests are alike and served as they came: two short queries differ by
 * less than the batch that both are in, and of hundreds the longest would wait for all others.
 */
const ALIKE_PART = 1 / 8

/** Every so many batches one goes by turns. */
const TURN = 4
/** Batches for which larger requests leave room after a small one came. */
const SHARED_BATCHES = 16
/** Whose turn it is. */
const TURNS: readonly Priority[] = ['low', 'normal', 'high', 'normal']

/**
 * A batch is filled from the most urgent requests first, and among those from the one with the fewest tokens left: so a
 * query passes a job of thousands, and of many jobs the first is answered when its own work is done, not when all are. Where
 * hardly any are left it is served as it came.
 *
 * Every fourth batch goes by turns, whatever else waits: of one priority, the request that was not served for longest begins
 * it, then each gets one turn, then turns go round. So nobody is overtaken for ever: the k-th that waits of a priority is
 * served within 16k batches, and within 4k where all are of one.
 *
 * The first row of a batch is its request's oldest; it anchors the batch, and every other one is the nearest to it in length
 * that its request has: so batches stay close in length. All are of the anchor's modality: each has a graph of its own.
 *
 * Duplicates of a row that is taken leave with it, wherever they stand, and take up no room in the batch. Until then each keeps
 * a place of its own: a query that is also the last text of a long job is taken when any query would be.
 */
export class WaitingRoom {
  readonly #lines: Readonly<Record<Priority, Line>>
  readonly #byKey = new RowsByKey()
  /** Those that were in a batch that killed the thread: each runs by itself. */
  readonly #alone: RowGroup[] = []
  /** Taken so far, but for those that ran alone. */
  #batchCount = 0
  /** Of which the last batch took rows: they are let out of the queue, and so have fewer tokens left, only after it. */
  readonly #begun = new Set<PendingRequest>()
  /** When a row of a small request was taken last. */
  #lastSmall = -Infinity
  #draining = false

  constructor({ sharedTokens = 0 }: Pick<BatchLimits, 'sharedTokens'> = {}) {
    const line = () => newLine(sharedTokens * ALIKE_PART)
    this.#lines = { high: line(), normal: line(), low: line() }
  }

  /** Whether something waits that must run by itself. It is the next batch. */
  get holdsAlone(): boolean {
    return this.#alone.length > 0
  }

  get isEmpty(): boolean {
    return this.#alone.length === 0 && PRIORITIES.every((priority) => this.#lines[priority].turns.size === 0)
  }

  get tokens(): number {
    let tokens = this.#alone.reduce((sum, group) => sum + group.ids.length, 0)
    for (const { turns } of Object.values(this.#lines)) {
      for (const waiting of turns.values()) tokens += waiting.tokens
    }
    return tokens
  }

  /** Rows of a request that wait in turn. */
  countOf(request: PendingRequest): number {
    return this.#lineOf(request).turns.get(request)?.size ?? 0
  }

  add(rows: readonly Row[]): void {
    for (const row of rows) {
      const { request } = row
      const line = this.#lineOf(request)
      let waiting = line.turns.get(request)
      if (waiting === undefined) {
        waiting = openWaiting(request)
        line.turns.set(request, waiting)
      }
      waiting.arrived.push(row)
      rowsLike(row, waiting).add(row)
      this.#byKey.add(row)
      waiting.size++
      waiting.tokens += row.ids.length
      line.byLeft.put(waiting)
    }
  }

  /** Other than by a batch, tokens of a request have left the queue. */
  reorder(request: PendingRequest): void {
    const { turns, byLeft } = this.#lineOf(request)
    const waiting = turns.get(request)
    if (waiting !== undefined) byLeft.put(waiting)
  }

  addAlone(group: RowGroup): void {
    this.#alone.push(group)
  }

  /** Forgets a request's rows that wait in turn; says how many there were, with how many tokens. */
  remove(request: PendingRequest): { readonly rows: number; readonly tokens: number } {
    const line = this.#lineOf(request)
    const waiting = line.turns.get(request)
    if (waiting === undefined) return { rows: 0, tokens: 0 }
    drop(line, waiting)
    this.#byKey.remove(request, new Set(waiting.arrived.slice(waiting.head).map(({ key }) => key)))
    return { rows: waiting.size, tokens: waiting.tokens }
  }

  /** Forgets those to run alone for which nobody waits any more. */
  removeDone(): RowGroup[] {
    const done = this.#alone.filter((group) => group.done)
    if (done.length > 0) this.#alone.splice(0, this.#alone.length, ...this.#alone.filter(({ done }) => !done))
    return done
  }

  /**
   * From here on nobody has a turn: the most urgent come first, among equals those with the fewest tokens left, so that as many
   * requests as can be are finished before time is up.
   */
  drain(): void {
    this.#draining = true
  }

  /** The next batch; empty where nothing waits. */
  takeBatch(limits: BatchLimits): RowGroup[] {
    for (const request of this.#begun) this.reorder(request)
    this.#begun.clear()
    const alone = this.#alone.shift()
    if (alone !== undefined) return [alone]
    const lines = PRIORITIES.map((priority) => this.#lines[priority]).filter(({ turns }) => turns.size > 0)
    const [mostUrgent] = lines
    if (mostUrgent === undefined) return []
    const draft = new Draft(limits)
    if (++this.#batchCount % TURN === 0 && !this.#draining) {
      const due = this.#lines[TURNS[(this.#batchCount / TURN) % TURNS.length] as Priority]
      this.#fillByTurns(due.turns.size > 0 ? due : mostUrgent, draft)
    }
    for (const line of lines) if (!draft.full) this.#fillByLeft(line, draft)
    return draft.groups
  }

  /** Fills what room a batch has from request after request, those with the fewest tokens left first. */
  #fillByLeft(line: Line, draft: Draft): void {
    let misses = 0
    line.byLeft.walk((waiting) => {
      let served = false
      while (waiting.size > 0 && !draft.full && this.#takeRow(waiting, draft)) served = true
      if (served) this.#toTheEnd(line, waiting)
      misses = served ? 0 : misses + 1
      return !draft.full && misses < MOST_MISSES
    })
  }

  /** Fills a batch in turns of the line's requests. */
  #fillByTurns(line: Line, draft: Draft): void {
    const served = new Set<Waiting>()
    let misses = 0
    for (const waiting of line.turns.values()) {
      if (draft.full || misses >= MOST_MISSES) break
      const fits = this.#takeRow(waiting, draft)
      misses = fits ? 0 : misses + 1
      if (fits) served.add(waiting)
    }
    let progress = true
    while (progress && !draft.full) {
      progress = false
      for (const waiting of served) if (this.#takeRow(waiting, draft)) progress = true
    }
    // The anchor behind those that only joined it.
    const [anchor, ...others] = served
    for (const waiting of anchor === undefined ? [] : [...others, anchor]) this.#toTheEnd(line, waiting)
  }

  /** Puts a row of a request into the batch, where it has one that fits. */
  #takeRow(waiting: Waiting, draft: Draft): boolean {
    const { sharedTokens = 0 } = draft.limits
    const isSmall = waiting.request.wholeTokens <= sharedTokens
    const leavesRoom = !isSmall && this.#batchCount - this.#lastSmall < SHARED_BATCHES
    const room = leavesRoom ? draft.sharedRoom : draft.room
    const row = draft.groups.length === 0 ? takeOldest(waiting) : takeNearest(waiting, draft, room)
    if (row === undefined) return false
    if (isSmall) this.#lastSmall = this.#batchCount
    draft.add(this.#group(row))
    return true
  }

  #lineOf({ place }: PendingRequest): Line {
    return this.#lines[place.priority]
  }

  /** A row that has just been taken, with all its duplicates. */
  #group(row: Row): RowGroup {
    const duplicates = this.#byKey.take(row.key).filter((other) => other !== row)
    for (const duplicate of duplicates) {
      const line = this.#lineOf(duplicate.request)
      const waiting = line.turns.get(duplicate.request)
      if (waiting === undefined) continue
      rowsLike(duplicate, waiting).remove(duplicate)
      leave(waiting, duplicate)
      waiting.taken.add(duplicate)
      if (waiting.size === 0) drop(line, waiting)
      else this.#begun.add(duplicate.request)
    }
    return new RowGroup(row, duplicates)
  }

  /** Served, a request is the last to have its turn again; out of the line where nothing of it waits. */
  #toTheEnd(line: Line, waiting: Waiting): void {
    if (waiting.size === 0) return drop(line, waiting)
    line.turns.delete(waiting.request)
    line.turns.set(waiting.request, waiting)
    this.#begun.add(waiting.request)
  }
}

function newLine(alikeTokens: number): Line {
  return { turns: new Map(), byLeft: new ByTokensLeft(alikeTokens) }
}

function drop({ turns, byLeft }: Line, waiting: Waiting): void {
  turns.delete(waiting.request)
  byLeft.remove(waiting)
}
