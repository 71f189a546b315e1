/**
 * The engine's queue on a device that is a formula, in virtual time: the classes are the engine's own, only threads and texts
 * are left out. Tokenizing takes no time, and what a batch answers is nothing.
 */
import { Admission } from '../../src/engine/admission.ts'
import { BatchBudget } from '../../src/engine/batch-budget.ts'
import { PendingRequest } from '../../src/engine/pending-request.ts'
import type { Place } from '../../src/engine/place.ts'
import { RequestClock } from '../../src/engine/request-clock.ts'
import type { RowGroup } from '../../src/engine/row-group.ts'
import type { Row } from '../../src/engine/row.ts'
import type { BatchLimits } from '../../src/engine/waiting-room.ts'
import { ServerError, cancelled } from '../../src/errors.ts'
import { NO_ADAPTER } from '../../src/runtime/runner.ts'
import type { Arrival } from './arrivals.ts'
import type { Device } from './device.ts'
import { batchMs } from './device.ts'
import type { Policy } from './queue.ts'
import { openQueue } from './queue.ts'

export interface Scene {
  /** In order of time. */
  readonly arrivals: readonly Arrival[]
  readonly device: Device
  readonly limits: BatchLimits
  readonly queueSize?: number
  readonly queueTokens?: number
  /** Whether requests that would come too late are refused; they are unless told. */
  readonly refusesLate?: boolean
}

/** What became of a request. */
export interface Fate {
  readonly arrival: Arrival
  end: 'answered' | 'refused' | 'too late' | undefined
  /** From when it came. */
  ms: number
  /** As the queue foretold it when the request came; undefined where it could not. */
  readonly foretoldMs: number | undefined
  /** Of one that was refused: when there would be room, as it was told and as it came. */
  room?: { readonly foretoldMs: number | undefined; ms: number | undefined }
}

export interface Outcome {
  readonly fates: readonly Fate[]
  readonly busyMs: number
  /** From the first arrival to the last batch. */
  readonly spanMs: number
  readonly batches: number
  readonly tokens: number
  /** Rows times the longest of each batch. */
  readonly paddedTokens: number
  readonly mostQueuedItems: number
  readonly mostQueuedTokens: number
}

export async function simulate(scene: Scene, policy: Policy): Promise<Outcome> {
  return new Simulation(scene, policy).run()
}

const IDS = new Map<number, Int32Array>()

/** Rows of a length share theirs: nobody reads them. */
function idsOf(length: number): Int32Array {
  const ids = IDS.get(length) ?? new Int32Array(length)
  IDS.set(length, ids)
  return ids
}

interface Running {
  readonly batch: readonly RowGroup[]
  readonly startMs: number
  readonly endMs: number
  readonly leftOthers: boolean
}

class Simulation {
  readonly #scene: Scene
  readonly #queue
  readonly #admission: Admission
  readonly #budget: BatchBudget
  readonly #fates: Fate[] = []
  readonly #waitingForRoom: { readonly fate: Fate; readonly items: number; readonly tokens: number }[] = []
  readonly #deadlines: { readonly atMs: number; readonly expire: () => void }[] = []
  readonly #totals = {
    busyMs: 0,
    batches: 0,
    tokens: 0,
    paddedTokens: 0,
    mostQueuedItems: 0,
    mostQueuedTokens: 0,
  }
  #nowMs = 0
  #entered = 0
  #running: Running | undefined

  constructor(scene: Scene, policy: Policy) {
    const { queueSize = 48_000, queueTokens = 512 * queueSize, limits } = scene
    this.#scene = scene
    this.#queue = openQueue(policy, limits)
    this.#admission = new Admission({ name: 'device', queueSize, queueTokens })
    this.#budget = new BatchBudget(limits)
  }

  async run(): Promise<Outcome> {
    const { arrivals } = this.#scene
    let next = 0
    for (;;) {
      const [arrival, deadline] = [arrivals[next], this.#deadlines[0]]
      const endMs = this.#running?.endMs ?? Infinity
      const atMs = Math.min(arrival?.atMs ?? Infinity, endMs, deadline?.atMs ?? Infinity)
      if (atMs === Infinity) break
      this.#nowMs = atMs
      const hadHeld = this.#admission.heldRequests > 0
      if (atMs === endMs) this.#endBatch()
      else if (deadline?.atMs === atMs) this.#deadlines.shift()?.expire()
      else if (arrival !== undefined) {
        next++
        this.#come(arrival)
      }
      this.#startBatch()
      // Requests that are held are let in by promises.
      if (hadHeld) for (let tick = 0; tick < 8; tick++) await Promise.resolve()
      this.#startBatch()
    }
    const spanMs = this.#nowMs - (arrivals[0]?.atMs ?? 0)
    return { ...this.#totals, fates: this.#fates, spanMs }
  }

  #come(arrival: Arrival): void {
    const { lengths, priority = 'normal', whenFull = 'refuse', withinMs } = arrival
    const tokens = lengths.reduce((sum, length) => sum + length, 0)
    const foretoldMs = this.#admission.answerInMs({ priority, tokens })
    const fate: Fate = { arrival, end: undefined, ms: NaN, foretoldMs }
    this.#fates.push(fate)
    const left = new AbortController()
    if (withinMs !== undefined) this.#expireAt(this.#nowMs + withinMs, () => left.abort())
    const { refusesLate = true } = this.#scene
    const asked = { itemCount: lengths.length, tokens, priority, noun: 'text', whenFull, signal: left.signal }
    try {
      const place = this.#admission.admit({ ...asked, withinMs: refusesLate ? withinMs : undefined })
      if (place instanceof Promise) {
        void place
          .then((place) => this.#enter(fate, place, left.signal))
          .catch(() => this.#end(fate, 'too late'))
      } else this.#enter(fate, place, left.signal)
    } catch (error) {
      if (!(error instanceof ServerError)) throw error
      this.#end(fate, 'refused')
      if (withinMs !== undefined) return
      fate.room = { foretoldMs: error.retryAfterMs, ms: undefined }
      this.#waitingForRoom.push({ fate, items: lengths.length, tokens })
    }
    this.#noteQueue()
  }

  #enter(fate: Fate, place: Place, signal: AbortSignal): void {
    const { lengths } = fate.arrival
    const request = new PendingRequest({
      rowCount: lengths.length,
      width: 1,
      noun: 'text',
      clock: new RequestClock(() => this.#nowMs),
      place,
      onProgress: (done, all) => done === all && this.#end(fate, 'answered'),
      onFailure: () => {
        const { rows, tokens } = this.#queue.remove(request)
        this.#admission.release(place, rows, tokens)
        this.#end(fate, 'too late')
      },
    })
    signal.addEventListener('abort', () => request.fail(cancelled()), { once: true })
    const id = this.#entered++
    const rows = lengths.map((length, index): Row => {
      const row = {
        request,
        index,
        ids: idsOf(length),
        typeStart: length,
        unpooledTokens: 0,
        adapter: NO_ADAPTER,
        wantsTokens: false,
      }
      return { ...row, key: `${id}:${index}` }
    })
    request.clock.count(rows.length, 0)
    this.#queue.add(rows)
    this.#noteQueue()
  }

  #startBatch(): void {
    if (this.#running !== undefined) return
    const batch = this.#queue.takeBatch(this.#budget.limits)
    if (batch.length === 0) return
    const leftOthers = !this.#queue.isEmpty
    for (const group of batch) {
      for (const { request } of group.items) this.#admission.release(request.place, 1, group.ids.length)
      group.start()
    }
    const lengths = batch.map(({ ids }) => ids.length)
    const ms = batchMs(this.#scene.device, lengths)
    this.#running = { batch, startMs: this.#nowMs, endMs: this.#nowMs + ms, leftOthers }
    this.#totals.busyMs += ms
    this.#totals.batches++
    this.#totals.tokens += lengths.reduce((sum, length) => sum + length, 0)
    this.#totals.paddedTokens +=
      lengths.length * lengths.reduce((longest, length) => Math.max(longest, length), 0)
    this.#noteRoom()
  }

  #endBatch(): void {
    const { batch, startMs, endMs, leftOthers } = this.#running as Running
    this.#running = undefined
    const tokens = batch.reduce((sum, { ids }) => sum + ids.length, 0)
    this.#admission.speed.note({ tokens, startMs, endMs, leftOthers })
    for (const group of batch) group.deliver(NOTHING, undefined)
  }

  #end(fate: Fate, end: Fate['end']): void {
    if (fate.end !== undefined) throw new Error('a request ended twice')
    fate.end = end
    fate.ms = this.#nowMs - fate.arrival.atMs
  }

  #expireAt(atMs: number, expire: () => void): void {
    const index = this.#deadlines.findLastIndex((other) => other.atMs <= atMs) + 1
    this.#deadlines.splice(index, 0, { atMs, expire })
  }

  #noteQueue(): void {
    const { queuedItems, queuedTokens } = this.#admission
    this.#totals.mostQueuedItems = Math.max(this.#totals.mostQueuedItems, queuedItems)
    this.#totals.mostQueuedTokens = Math.max(this.#totals.mostQueuedTokens, queuedTokens)
  }

  /** Whether those who were refused would find room by now. */
  #noteRoom(): void {
    const { queueSize = 48_000 } = this.#scene
    for (let first = this.#waitingForRoom[0]; first !== undefined; first = this.#waitingForRoom[0]) {
      if (this.#admission.queuedItems + first.items > queueSize) return
      if (first.fate.room !== undefined) first.fate.room.ms = this.#nowMs - first.fate.arrival.atMs
      this.#waitingForRoom.shift()
    }
  }
}

const NOTHING = new Float32Array(1)
