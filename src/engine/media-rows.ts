/** Rows of a request's texts, pictures and sounds, in their order. */
import { ServerError, asServerError, cancelled } from '../errors.ts'
import type { MediaReader, PreparedMedia } from '../media/media.ts'
import type { CallOptions, MediaItem } from '../task.ts'
import type { Prompt, TokenizedRows } from '../tokenize/tokenizer.ts'
import type { FedRows, RowMedia } from './feed-rows.ts'
import type { MediaSlots } from './media-slots.ts'
import type { ServedModel } from './served-model.ts'
import type { RowTask } from './task-rows.ts'
import { rowOptions } from './task-rows.ts'
import { textSideOf } from './text-side.ts'

export type Item = string | MediaItem

export interface MixedItems {
  readonly task: RowTask
  readonly items: readonly Item[]
  /** Of the texts among them; undefined where there are none. */
  readonly prompt: Prompt | undefined
  /** What errors call an item. */
  readonly noun: string
  readonly reader: MediaReader
  readonly options: CallOptions
}

/** Some rows that follow one another. */
interface Part extends TokenizedRows {
  readonly media: readonly (RowMedia | undefined)[]
}

export class MediaRows {
  readonly #served: ServedModel
  readonly #asked: MixedItems
  readonly #ending = new AbortController()
  readonly #signal: AbortSignal
  readonly #slots: MediaSlots
  /** Slots that are taken and not yet given back. */
  #taken = 0

  constructor(served: ServedModel, asked: MixedItems) {
    this.#served = served
    this.#asked = asked
    const { signal } = asked.options
    this.#signal = signal === undefined ? this.#ending.signal : AbortSignal.any([signal, this.#ending.signal])
    this.#slots = asked.items.some(isFetched) ? served.fetchSlots : served.mediaSlots
  }

  /** Of the items `from` to `to`. Throws what is wrong with the first that cannot be read, which it names. */
  async make(from: number, to: number): Promise<FedRows> {
    const items = this.#asked.items.slice(from, to)
    await this.#take(items.filter(isMedia).length)
    const parts: Promise<Part>[] = []
    for (let at = 0; at < items.length;) {
      const item = items[at] as Item
      const texts = isMedia(item) ? [] : textsFrom(items, at)
      parts.push(isMedia(item) ? this.#read(item) : this.#tokenize(texts, from + at))
      at += Math.max(1, texts.length)
    }
    return joinParts(await Promise.all(parts))
  }

  /** An item's result is in: what was read of it is needed no more. Not to be called once it is closed. */
  deliver(index: number): void {
    const item = this.#asked.items[index]
    if (item !== undefined && isMedia(item)) this.#give(1)
  }

  /** Whatever of it is still being read is given up. */
  close(): void {
    this.#ending.abort()
    this.#give(this.#taken)
  }

  async #take(count: number): Promise<void> {
    if (count === 0) return
    await this.#slots.take(count, this.#asked.options.priority ?? 'normal', this.#signal)
    if (this.#ending.signal.aborted) {
      this.#slots.give(count)
      throw cancelled()
    }
    this.#taken += count
  }

  #give(count: number): void {
    this.#taken -= count
    this.#slots.give(count)
  }

  async #tokenize(texts: readonly string[], firstIndex: number): Promise<Part> {
    const { task, prompt = NO_PROMPT, noun } = this.#asked
    const { tokenizer } = textSideOf(this.#served)
    const rows = await tokenizer.texts(texts, prompt, rowOptions(this.#served, task, { noun, firstIndex }))
    return { ...rows, media: texts.map(() => undefined) }
  }

  async #read(item: MediaItem): Promise<Part> {
    const { image, audio } = this.#served.model.spec
    const processing = { image: image?.processing, audio: audio?.processing }
    let prepared: PreparedMedia
    try {
      prepared = await this.#asked.reader.read(item, processing, this.#signal)
    } catch (error) {
      throw naming(error, item)
    }
    return partOf(prepared, item, this.#tokensOf(prepared, item))
  }

  /** What a batch is measured by. Of sound the tower alone knows it: what is read of it are lines of features. */
  #tokensOf({ tokens }: PreparedMedia, { modality }: MediaItem): number {
    return modality === 'audio' ? (this.#served.model.runner.towers.audio?.maxTokens ?? tokens) : tokens
  }
}

const NO_PROMPT: Prompt = { text: '', pooled: true }

export function isMedia(item: Item): item is MediaItem {
  return typeof item !== 'string'
}

function isFetched(item: Item): boolean {
  return isMedia(item) && 'url' in item.source
}

export function isText(item: Item): item is string {
  return typeof item === 'string'
}

/** Those that follow one another from an item on: the tokenizer takes them at once, and errors count from the first. */
function textsFrom(items: readonly Item[], from: number): string[] {
  const end = items.findIndex((item, index) => index > from && isMedia(item))
  return items.slice(from, end < 0 ? undefined : end).filter(isText)
}

function partOf(
  { values, places, units, digest }: PreparedMedia,
  { modality }: MediaItem,
  tokens: number,
): Part {
  return {
    ids: new Int32Array(tokens),
    bounds: Int32Array.of(0, tokens),
    typeStarts: Int32Array.of(tokens),
    unpooledTokens: new Int32Array(1),
    textTokens: units,
    truncatedRows: 0,
    media: [{ modality, values, places, digest }],
  }
}

function joinParts(parts: readonly Part[]): FedRows {
  const bounds = [0]
  for (const part of parts) {
    const start = bounds.at(-1) as number
    for (const bound of part.bounds.subarray(1)) bounds.push(start + bound)
  }
  const ids = new Int32Array(bounds.at(-1) as number)
  let at = 0
  for (const part of parts) {
    ids.set(part.ids, at)
    at += part.ids.length
  }
  return {
    ids,
    bounds: Int32Array.from(bounds),
    typeStarts: Int32Array.from(parts.flatMap((part) => [...part.typeStarts])),
    unpooledTokens: Int32Array.from(parts.flatMap((part) => [...part.unpooledTokens])),
    textTokens: parts.reduce((sum, part) => sum + part.textTokens, 0),
    truncatedRows: parts.reduce((sum, part) => sum + part.truncatedRows, 0),
    media: parts.flatMap((part) => part.media),
  }
}

/** What is wrong with an item says which one it is. */
function naming(error: unknown, { name }: MediaItem): ServerError {
  const found = asServerError(error)
  const { code, message, retryAfterMs, param } = found
  if (code === 'cancelled' || code === 'stopping') return found
  return new ServerError(code, `${name}: ${message}`, { cause: error, retryAfterMs, param })
}
