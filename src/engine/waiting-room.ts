/** Rows that wait for the device, and the policy by which a batch is taken from them. No clock: order is time. */
import type { PendingRequest } from './pending-request.ts'
import type { Row } from './row.ts'
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
 */
export class WaitingRoom {
  readonly #requests = new Map<PendingRequest, Waiting>()
  /** Rows that were in a batch that killed the thread: each runs by itself. */
  readonly #alone: Row[] = []

  /** Whether a row waits that must run by itself. It is the next batch. */
  get holdsAlone(): boolean {
    return this.#alone.length > 0
  }

  get tokens(): number {
    let tokens = this.#alone.reduce((sum, row) => sum + row.ids.length, 0)
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
      waiting.size++
      waiting.tokens += row.ids.length
    }
  }

  addAlone(row: Row): void {
    this.#alone.push(row)
  }

  /** Forgets a request's rows; says how many there were. */
  remove(request: PendingRequest): number {
    const alone = this.#alone.filter((row) => row.request !== request)
    const removed = this.#alone.length - alone.length + this.countOf(request)
    this.#alone.splice(0, this.#alone.length, ...alone)
    this.#requests.delete(request)
    return removed
  }

  /** The next batch; empty where nothing waits. */
  takeBatch(limits: BatchLimits): Row[] {
    const alone = this.#alone.shift()
    return alone === undefined ? this.#fill(new Draft(limits)) : [alone]
  }

  #fill(draft: Draft): Row[] {
    const served = new Map<PendingRequest, Waiting>()
    let anchorLength = 0
    for (const [request, waiting] of this.#requests) {
      if (draft.full) break
      const row = served.size === 0 ? takeOldest(waiting) : takeNearest(waiting, anchorLength, draft)
      if (row === undefined) continue
      if (served.size === 0) anchorLength = row.ids.length
      draft.add(row)
      served.set(request, waiting)
    }
    let progress = true
    while (progress && !draft.full) {
      progress = false
      for (const waiting of served.values()) {
        const row = takeNearest(waiting, anchorLength, draft)
        if (row === undefined) continue
        draft.add(row)
        progress = true
      }
    }
    // Served: to the end of the line, the anchor behind those that only joined it.
    const [anchor, ...others] = served
    for (const [request, waiting] of anchor === undefined ? [] : [...others, anchor]) {
      this.#requests.delete(request)
      if (waiting.size > 0) this.#requests.set(request, waiting)
    }
    return draft.rows
  }
}

/** A batch being filled. */
class Draft {
  readonly rows: Row[] = []
  readonly #limits: BatchLimits
  #tokens = 0
  #longest = 0

  constructor(limits: BatchLimits) {
    this.#limits = limits
  }

  get full(): boolean {
    return this.rows.length >= this.#limits.maxRows || this.#tokens >= this.#limits.maxTokens * FULL_ENOUGH
  }

  /** Tokens that one more row may have; 0 where none fits. */
  get room(): number {
    const { maxRows, maxTokens, maxPaddedTokens } = this.#limits
    const count = this.rows.length + 1
    if (count > maxRows || count * this.#longest > maxPaddedTokens) return 0
    return Math.min(maxTokens - this.#tokens, Math.floor(maxPaddedTokens / count))
  }

  add(row: Row): void {
    this.rows.push(row)
    this.#tokens += row.ids.length
    this.#longest = Math.max(this.#longest, row.ids.length)
  }
}

function takeOldest(waiting: Waiting): Row | undefined {
  while (waiting.head < waiting.arrived.length) {
    const row = waiting.arrived[waiting.head++] as Row
    if (waiting.taken.delete(row)) continue
    // Rows of one length leave in order of arrival, so the oldest of all is the first of its length.
    waiting.size--
    waiting.tokens -= row.ids.length
    return waiting.byLength.take(row.ids.length)
  }
  return undefined
}

function takeNearest(waiting: Waiting, target: number, draft: Draft): Row | undefined {
  const room = draft.room
  if (room <= 0) return undefined
  const row = waiting.byLength.takeNearest(target, room)
  if (row === undefined) return undefined
  waiting.taken.add(row)
  waiting.size--
  waiting.tokens -= row.ids.length
  return row
}
