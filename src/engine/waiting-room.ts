/** Rows that wait for the device, and the policy by which a batch is taken from them. No clock: order is time. */
import type { PendingRequest } from './pending-request.ts'
import { RowGroup } from './row-group.ts'
import type { Row } from './row.ts'
import { RowsByKey } from './rows-by-key.ts'
import { RowsByLength } from './rows-by-length.ts'

export interface BatchLimits {
  readonly maxRows: number
  /** Tokens of a batch; a single row may have more. */
  readonly maxTokens: number
  /** Rows times the longest of them: what attention, which alone is padded, works on. */
  readonly maxPaddedTokens: number
}

interface Waiting {
  /** In the order they came; those already taken are skipped. */
  readonly arrived: Row[]
  readonly byLength: RowsByLength
  readonly taken: Set<Row>
  head: number
  size: number
  tokens: number
}

/** A batch this full is sent rather than searched for rows that still fit. */
const FULL_ENOUGH = 15 / 16

/**
 * Requests stand in the order in which they were last served, or came: the first has waited longest since. It anchors
 * the batch with its oldest row; then every request gets one turn, then turns go round until the batch is full, each time
 * with the row nearest to the anchor in length. So a single query behind a job of thousands is in the next batch or the
 * one after it, no request can be overtaken for ever, and batches stay close in length.
 *
 * Duplicates of a row that is taken leave with it, wherever they stand, and take up no room in the batch. Until then each keeps
 * a place of its own: a query that is also the last text of a long job is taken when any query would be.
 */
export class WaitingRoom {
  readonly #requests = new Map<PendingRequest, Waiting>()
  readonly #byKey = new RowsByKey()
  /** Those that were in a batch that killed the thread: each runs by itself. */
  readonly #alone: RowGroup[] = []

  /** Whether something waits that must run by itself. It is the next batch. */
  get holdsAlone(): boolean {
    return this.#alone.length > 0
  }

  get tokens(): number {
    let tokens = this.#alone.reduce((sum, group) => sum + group.ids.length, 0)
    for (const waiting of this.#requests.values()) tokens += waiting.tokens
    return tokens
  }

  /** Rows of a request that wait in turn. */
  countOf(request: PendingRequest): number {
    return this.#requests.get(request)?.size ?? 0
  }

  add(rows: readonly Row[]): void {
    for (const row of rows) {
      let waiting = this.#requests.get(row.request)
      if (waiting === undefined) {
        waiting = { arrived: [], byLength: new RowsByLength(), taken: new Set(), head: 0, size: 0, tokens: 0 }
        this.#requests.set(row.request, waiting)
      }
      waiting.arrived.push(row)
      waiting.byLength.add(row)
      this.#byKey.add(row)
      waiting.size++
      waiting.tokens += row.ids.length
    }
  }

  addAlone(group: RowGroup): void {
    this.#alone.push(group)
  }

  /** Forgets a request's rows that wait in turn; says how many there were. */
  remove(request: PendingRequest): number {
    const waiting = this.#requests.get(request)
    if (waiting === undefined) return 0
    this.#requests.delete(request)
    this.#byKey.remove(request, new Set(waiting.arrived.slice(waiting.head).map(({ key }) => key)))
    return waiting.size
  }

  /** Forgets those to run alone for which nobody waits any more. */
  removeDone(): RowGroup[] {
    const done = this.#alone.filter((group) => group.done)
    if (done.length > 0) this.#alone.splice(0, this.#alone.length, ...this.#alone.filter(({ done }) => !done))
    return done
  }

  /** The next batch; empty where nothing waits. */
  takeBatch(limits: BatchLimits): RowGroup[] {
    const alone = this.#alone.shift()
    return alone === undefined ? this.#fill(new Draft(limits)) : [alone]
  }

  #fill(draft: Draft): RowGroup[] {
    const served = new Map<PendingRequest, Waiting>()
    let anchorLength = 0
    for (const [request, waiting] of this.#requests) {
      if (draft.full) break
      const row = served.size === 0 ? takeOldest(waiting) : takeNearest(waiting, anchorLength, draft)
      if (row === undefined) continue
      if (served.size === 0) anchorLength = row.ids.length
      draft.add(this.#group(row))
      served.set(request, waiting)
    }
    let progress = true
    while (progress && !draft.full) {
      progress = false
      for (const waiting of served.values()) {
        const row = takeNearest(waiting, anchorLength, draft)
        if (row === undefined) continue
        draft.add(this.#group(row))
        progress = true
      }
    }
    // Served: to the end of the line, the anchor behind those that only joined it.
    const [anchor, ...others] = served
    for (const [request, waiting] of anchor === undefined ? [] : [...others, anchor]) {
      this.#requests.delete(request)
      if (waiting.size > 0) this.#requests.set(request, waiting)
    }
    return draft.groups
  }

  /** A row that has just been taken, with all its duplicates. */
  #group(row: Row): RowGroup {
    const duplicates = this.#byKey.take(row.key).filter((other) => other !== row)
    for (const duplicate of duplicates) {
      const waiting = this.#requests.get(duplicate.request)
      if (waiting === undefined) continue
      waiting.byLength.remove(duplicate)
      leave(waiting, duplicate)
      waiting.taken.add(duplicate)
      if (waiting.size === 0) this.#requests.delete(duplicate.request)
    }
    return new RowGroup(row, duplicates)
  }
}

/** A batch being filled. */
class Draft {
  readonly groups: RowGroup[] = []
  readonly #limits: BatchLimits
  #tokens = 0
  #longest = 0

  constructor(limits: BatchLimits) {
    this.#limits = limits
  }

  get full(): boolean {
    return this.groups.length >= this.#limits.maxRows || this.#tokens >= this.#limits.maxTokens * FULL_ENOUGH
  }

  /** Tokens that one more row may have; 0 where none fits. */
  get room(): number {
    const { maxRows, maxTokens, maxPaddedTokens } = this.#limits
    const count = this.groups.length + 1
    if (count > maxRows || count * this.#longest > maxPaddedTokens) return 0
    return Math.min(maxTokens - this.#tokens, Math.floor(maxPaddedTokens / count))
  }

  add(group: RowGroup): void {
    this.groups.push(group)
    this.#tokens += group.ids.length
    this.#longest = Math.max(this.#longest, group.ids.length)
  }
}

function takeOldest(waiting: Waiting): Row | undefined {
  while (waiting.head < waiting.arrived.length) {
    const row = waiting.arrived[waiting.head++] as Row
    if (waiting.taken.delete(row)) continue
    leave(waiting, row)
    // Rows of one length leave in order of arrival, but for duplicates, so the oldest of all is the first of its length.
    return waiting.byLength.take(row.ids.length)
  }
  return undefined
}

function takeNearest(waiting: Waiting, target: number, draft: Draft): Row | undefined {
  const room = draft.room
  if (room <= 0) return undefined
  const row = waiting.byLength.takeNearest(target, room)
  if (row === undefined) return undefined
  leave(waiting, row)
  waiting.taken.add(row)
  return row
}

function leave(waiting: Waiting, row: Row): void {
  waiting.size--
  waiting.tokens -= row.ids.length
}
