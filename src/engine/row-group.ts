import type { Media, RaggedRow } from '../runtime/runner.ts'
import type { PendingRequest } from './pending-request.ts'
import type { Item, Row } from './row.ts'

/** Identical rows, of any requests: the device computes one, and every item gets the result. */
export class RowGroup implements RaggedRow {
  readonly key: string
  readonly ids: Int32Array
  readonly typeStart: number
  readonly unpooledTokens: number
  readonly adapter: number
  readonly wantsTokens: boolean
  readonly media: Media | undefined
  /** Times that the inference thread died with it in its batch. */
  deaths = 0
  /** Times that a GPU was lost with it in its batch. */
  losses = 0
  readonly #items: Item[]
  #isRunning = false

  /** Of a row that has waited, and its duplicates. */
  constructor(row: Row, duplicates: readonly Row[] = []) {
    this.key = row.key
    this.ids = row.ids
    this.typeStart = row.typeStart
    this.unpooledTokens = row.unpooledTokens
    this.adapter = row.adapter
    this.wantsTokens = row.wantsTokens
    this.media = row.media
    this.#items = [row, ...duplicates].map(itemOf)
  }

  get items(): readonly Item[] {
    return this.#items
  }

  get requests(): PendingRequest[] {
    return this.#items.map(({ request }) => request)
  }

  /** True once nobody waits for it: every request was answered, failed or cancelled. */
  get done(): boolean {
    return this.#items.every(({ request }) => request.done)
  }

  /** One more duplicate, which never waits in line. */
  join(row: Row): void {
    this.#items.push(itemOf(row))
    if (this.#isRunning) row.request.clock.count(0, 1)
    else row.request.clock.count(1, 0)
  }

  /** From here on the device has it. */
  start(): void {
    this.#isRunning = true
    for (const { request } of this.#items) request.clock.count(-1, 1)
  }

  /** It waits for the device once more. */
  waitAgain(): void {
    this.#isRunning = false
    for (const { request } of this.#items) request.clock.count(1, -1)
  }

  /** Says how many items got the result. */
  deliver(values: Float32Array, tokens: Float32Array | undefined): number {
    const open = this.#items.filter(({ request }) => !request.done)
    for (const { request, index } of open) {
      request.clock.count(0, -1)
      request.deliver(index, values, tokens)
    }
    return open.length
  }

  /** Each item's request gets an error of its own. */
  fail(errorOf: (item: Item) => unknown): void {
    for (const item of this.#items) item.request.fail(errorOf(item))
  }
}

/** A group may outgrow the queue by far: it keeps neither ids nor media of the rows that joined it. */
function itemOf({ request, index }: Row): Item {
  return { request, index }
}
