/** A request's items on their way to the waiting room. */
import type { Media } from '../runtime/runner.ts'
import { NO_ADAPTER } from '../runtime/runner.ts'
import type { TokenizedRows } from '../tokenize/tokenizer.ts'
import type { PendingRequest } from './pending-request.ts'
import type { Row } from './row.ts'
import { keyOf, mediaKeyOf } from './row.ts'

/** What a row reads in place of text. */
export interface RowMedia extends Media {
  /** Of its numbers: equal ones share a result. */
  readonly digest: string
}

/** Rows as a tokenizer makes them, among which may be some of media: their ids are zeros. */
export interface FedRows extends TokenizedRows {
  /** One for each row; undefined for a text. */
  readonly media?: readonly (RowMedia | undefined)[]
}

export interface Feed {
  readonly request: PendingRequest
  /** Characters of each item: what is tokenized at a time is bounded by them. */
  readonly sizes: readonly number[]
  readonly wantsTokens: boolean
  /** As a row's; none unless told. */
  readonly adapter?: number | undefined
  /** Rows of items `from` to `to`; called with ascending ranges, one at a time. */
  readonly tokenize: (from: number, to: number) => Promise<FedRows>
  /** Nothing is added before every item is tokenized. */
  readonly tokenizeFirst: boolean
  readonly add: (rows: readonly Row[]) => void
  /** Told of every chunk of rows, as soon as it is tokenized: none of them was cut. */
  readonly onWhole: (rows: readonly Row[]) => void
  /** Once it is time for more rows. */
  readonly hasRoom: () => Promise<void> | undefined
}

export interface FedTexts {
  readonly textTokens: number
  readonly truncatedItems: number
}

/** Items, and characters, tokenized at a time: the first batch leaves early, and others get their turn between chunks. */
const CHUNK_ITEMS = 64
const CHUNK_CHARACTERS = 262_144
/** As many characters a picture or a sound counts for: eight are read at a time. */
export const MEDIA_SIZE = CHUNK_CHARACTERS / 8

/** Tokenizes a request chunk by chunk, not far ahead of the device. Throws as soon as the request has failed. */
export async function feedRows(feed: Feed): Promise<FedTexts> {
  const { request, sizes, tokenize, tokenizeFirst, add, onWhole, hasRoom } = feed
  const failure = request.result.then(() => {})
  failure.catch(() => {})
  const held: Row[] = []
  let textTokens = 0
  let truncatedItems = 0
  for (let from = 0; from < sizes.length;) {
    const to = endOfChunk(sizes, from)
    // The failure of another row, or the caller's end, must not wait for the tokenizer.
    const rows = await request.clock.tokenizing(() => Promise.race([tokenize(from, to), failure]))
    if (rows === undefined || request.done) break
    textTokens += rows.textTokens
    truncatedItems += rows.truncatedRows
    const made = cutRows(rows, feed, from)
    // Which of them were cut is not told: then none counts as whole.
    if (rows.truncatedRows === 0) onWhole(made)
    held.push(...made)
    if (!tokenizeFirst || to === sizes.length) add(held.splice(0))
    for (let wait = hasRoom(); wait !== undefined; wait = hasRoom()) await Promise.race([wait, failure])
    from = to
  }
  return { textTokens, truncatedItems }
}

/** Where the items end that are tokenized together with the one at `from`; `sizes`: characters of each. */
export function endOfChunk(sizes: readonly number[], from: number): number {
  let characters = 0
  let to = from
  while (to < sizes.length && to - from < CHUNK_ITEMS) {
    characters += sizes[to] as number
    if (to > from && characters > CHUNK_CHARACTERS) break
    to++
  }
  return to
}

export function tokensOf(rows: readonly Row[]): number {
  return rows.reduce((sum, { ids }) => sum + ids.length, 0)
}

function cutRows(rows: FedRows, feed: Feed, firstIndex: number): Row[] {
  const { request, wantsTokens, adapter = NO_ADAPTER } = feed
  return Array.from({ length: rows.bounds.length - 1 }, (_, b) => {
    const media = rows.media?.[b]
    const row = {
      ids: rows.ids.subarray(rows.bounds[b], rows.bounds[b + 1]),
      typeStart: rows.typeStarts[b] as number,
      unpooledTokens: rows.unpooledTokens[b] as number,
      adapter: media === undefined ? adapter : NO_ADAPTER,
      wantsTokens,
      media,
    }
    const key = media === undefined ? keyOf(row) : mediaKeyOf(media.modality, media.digest)
    return { ...row, request, index: firstIndex + b, key }
  })
}
