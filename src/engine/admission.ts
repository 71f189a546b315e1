/** How much may wait for a model, and what becomes of a request that finds no room, or comes too late. */
import { ServerError, cancelled } from '../errors.ts'
import type { Priority } from '../task.ts'
import type { Place } from './place.ts'
import { PRIORITIES } from './place.ts'
import { Speed } from './speed.ts'

export interface AdmissionOptions {
  /** The model, for errors. */
  readonly name: string
  /** Items that may wait: INFINITY_QUEUE_SIZE. */
  readonly queueSize: number
  /** Tokens that may wait: MAX_QUEUE_TOKENS. */
  readonly queueTokens: number
}

export interface AdmissionRequest {
  readonly itemCount: number
  /** Estimated. */
  readonly tokens: number
  /** Of which the device may have to compute so many: identical items are computed once. All unless told. */
  readonly ownTokens?: number | undefined
  readonly priority: Priority
  /** What errors call an item. */
  readonly noun: string
  /** `wait`: without room the request is held until there is some, instead of being refused. */
  readonly whenFull: 'refuse' | 'wait'
  /** As of `CallOptions`; undefined too where nothing backs the estimate, or part of it may be known already. */
  readonly withinMs: number | undefined
  readonly signal: AbortSignal | undefined
}

interface Held {
  readonly place: Place
  readonly settled: PromiseWithResolvers<void>
}

const MIN_RETRY_MS = 1000
const MAX_RETRY_MS = 60_000

/**
 * A request is refused for its deadline where it is foretold so many times as long: what is foretold is rough, since texts are
 * not tokenized yet and others come and go, and a request that was let in for nothing costs less than one refused for nothing.
 */
const SURELY_LATE = 2

export class Admission {
  /** Told of every batch. */
  readonly speed = new Speed()
  readonly #options: AdmissionOptions
  /** Of which something is in the queue. */
  readonly #places = new Set<Place>()
  /** In the order they came: nobody overtakes a request that is held. */
  readonly #held: Held[] = []
  #queuedItems = 0
  #queuedTokens = 0

  constructor(options: AdmissionOptions) {
    this.#options = options
  }

  /** Admitted items that no batch holds yet. */
  get queuedItems(): number {
    return this.#queuedItems
  }

  /** Of those items. */
  get queuedTokens(): number {
    return this.#queuedTokens
  }

  get heldRequests(): number {
    return this.#held.length
  }

  /**
   * Takes a request whole, at once where there is room. Throws `request_too_large` where the queue could never hold it;
   * `overloaded` where it can't now and shall not wait, or where it would surely come too late behind what waits;
   * `deadline_exceeded` where it surely would by itself; rejects with `cancelled` where the signal ends the wait.
   */
  admit(request: AdmissionRequest): Place | Promise<Place> {
    const { itemCount, tokens, priority, noun, whenFull, signal } = request
    const { queueSize, name } = this.#options
    if (itemCount > queueSize) {
      throw new ServerError(
        'request_too_large',
        `the request has ${counted(itemCount, noun)}; ${name} queues at most ${queueSize} (INFINITY_QUEUE_SIZE)`,
      )
    }
    this.#expectInTime(request)
    const place: Place = { priority, items: itemCount, tokens }
    if (this.#held.length === 0 && this.#hasRoom(place)) {
      this.#enter(place)
      return place
    }
    if (whenFull === 'wait') return this.#hold(place, signal)
    throw new ServerError('overloaded', `the queue of ${name} ${this.#whyFull(place)}`, {
      retryAfterMs: retryMs(this.roomInMs(place)),
    })
  }

  /** Items of a request, with their tokens, that left the queue, for a batch or for good. */
  release(place: Place, items: number, tokens: number): void {
    this.#count(place, -items, -tokens)
    for (let first = this.#held[0]; first !== undefined; first = this.#held[0]) {
      if (!this.#hasRoom(first.place)) return
      this.#held.shift()
      this.#enter(first.place)
      first.settled.resolve()
    }
  }

  /** Items that a batch gave back: they were admitted once, and are not refused now. */
  takeBack(place: Place, items: number, tokens: number): void {
    this.#places.add(place)
    this.#count(place, items, tokens)
  }

  /** Tokenized, some items have so many tokens more than were estimated, or less. */
  correct(place: Place, tokens: number): void {
    this.#count(place, 0, tokens)
  }

  /** Ends every wait. */
  close(error: ServerError): void {
    for (const { settled } of this.#held.splice(0)) settled.reject(error)
  }

  /**
   * Milliseconds until a request that comes now would be answered, as far as those tell that are here; undefined before the
   * first batches. More urgent ones come before it. So do equals with fewer tokens left than it, and of the others as much as
   * it has itself: they pass it by turns, and so will shorter ones that are yet to come.
   */
  answerInMs({
    priority,
    tokens,
    ownTokens = tokens,
  }: Pick<AdmissionRequest, 'priority' | 'tokens' | 'ownTokens'>): number | undefined {
    const { tokensPerMs, batchMs } = this.speed
    if (tokensPerMs === undefined) return undefined
    const urgency = PRIORITIES.indexOf(priority)
    let before = 0
    for (const place of [...this.#places, ...this.#held.map(({ place }) => place)]) {
      const difference = PRIORITIES.indexOf(place.priority) - urgency
      if (difference < 0) before += place.tokens
      else if (difference === 0) before += Math.min(place.tokens, tokens)
    }
    // Whatever is under way comes before all.
    return (before + ownTokens) / tokensPerMs + batchMs
  }

  /** Milliseconds until there is room for a request, were it the next to come; undefined before the first batches. */
  roomInMs({ items, tokens }: Pick<Place, 'items' | 'tokens'>): number | undefined {
    const { queueSize, queueTokens } = this.#options
    const { tokensPerMs, batchMs } = this.speed
    if (tokensPerMs === undefined) return undefined
    const before = this.#held.reduce(
      (sum, { place }) => ({ items: sum.items + place.items, tokens: sum.tokens + place.tokens }),
      { items: this.#queuedItems, tokens: this.#queuedTokens },
    )
    const tokensOfItem = before.tokens / Math.max(1, before.items)
    const tooMany = Math.max(0, before.items + items - queueSize) * tokensOfItem
    // Alone it may have any number.
    const tooMuch = Math.min(before.tokens, before.tokens + tokens - queueTokens)
    // Nothing leaves before the next batch is taken.
    return Math.max(tooMany, tooMuch) / tokensPerMs + batchMs
  }

  #hasRoom({ items, tokens }: Place): boolean {
    const { queueSize, queueTokens } = this.#options
    if (this.#queuedItems + items > queueSize) return false
    return this.#queuedItems === 0 || this.#queuedTokens + tokens <= queueTokens
  }

  #enter(place: Place): void {
    this.#places.add(place)
    this.#queuedItems += place.items
    this.#queuedTokens += place.tokens
  }

  #count(place: Place, items: number, tokens: number): void {
    place.items += items
    place.tokens += tokens
    this.#queuedItems += items
    this.#queuedTokens += tokens
    if (place.items === 0) this.#places.delete(place)
  }

  #expectInTime(request: AdmissionRequest): void {
    const { tokens, ownTokens = tokens, whenFull, withinMs } = request
    const { tokensPerMs } = this.speed
    if (withinMs === undefined || tokensPerMs === undefined) return
    // What runs then measures anew: speed that was measured wrong must not refuse for ever.
    if (this.#queuedItems === 0) return
    const ownMs = ownTokens / tokensPerMs
    if (ownMs > SURELY_LATE * withinMs) {
      const message = `${this.#options.name} needs about ${seconds(ownMs)} for the about ${ownTokens} tokens of the request, which is to be answered within ${seconds(withinMs)}`
      throw new ServerError('deadline_exceeded', message)
    }
    // It waits for room however long that takes: that others are there is no reason to fail it.
    if (whenFull === 'wait') return
    const ms = this.answerInMs(request) ?? 0
    if (ms <= SURELY_LATE * withinMs) return
    const message = `the queue of ${this.#options.name} would let the request be answered in about ${seconds(ms)}; it is to be within ${seconds(withinMs)}`
    throw new ServerError('overloaded', message, { retryAfterMs: retryMs(ms - withinMs) })
  }

  #whyFull({ items, tokens }: Place): string {
    const { queueSize, queueTokens } = this.#options
    const holds = `holds ${counted(this.#queuedItems, 'item')}`
    if (this.#queuedItems + items > queueSize) {
      return `${holds}; ${items} more would pass its limit of ${queueSize} (INFINITY_QUEUE_SIZE)`
    }
    if (this.#queuedTokens + tokens > queueTokens) {
      return `${holds} of ${counted(this.#queuedTokens, 'token')}; about ${tokens} more would pass its limit of ${queueTokens} (MAX_QUEUE_TOKENS)`
    }
    const waits = this.#held.length === 1 ? 'waits' : 'wait'
    return `${holds} of at most ${queueSize}; ${counted(this.#held.length, 'request')} that came before ${waits} for room`
  }

  async #hold(place: Place, signal: AbortSignal | undefined): Promise<Place> {
    const held: Held = { place, settled: Promise.withResolvers() }
    this.#held.push(held)
    const onAbort = () => {
      const index = this.#held.indexOf(held)
      if (index < 0) return
      this.#held.splice(index, 1)
      held.settled.reject(cancelled())
      // A smaller one behind it may fit.
      this.release(place, 0, 0)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      await held.settled.promise
      return place
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }
}

/** `Retry-After` where that is known: seldom enough, and not so late that clients would give up. */
function retryMs(ms: number | undefined): number {
  return Math.min(MAX_RETRY_MS, Math.max(MIN_RETRY_MS, ms ?? 0))
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
