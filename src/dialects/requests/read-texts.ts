/** What a client gave to be read. Plain loops: a schema would take ten milliseconds for a large list. */
import { isRecord, show } from '../../base/json-value.ts'
import { ServerError } from '../../errors.ts'
import type { CallOptions, DecodeTask, MediaItem, Service } from '../../task.ts'
import { notA } from './read-body.ts'
import type { MediaReading } from './read-media.ts'
import { findMediaKey, notOne, readMedia, readMediaObject, wrongMedia } from './read-media.ts'

/** The string of a required field, or of its `text`. Throws `invalid_request`. */
export function readText(value: unknown, field: string): string {
  if (isRecord(value)) expectText(value, field)
  const text = isRecord(value) ? value['text'] : value
  if (typeof text === 'string') return text
  throw notA('a string', value, field)
}

export interface TextsOptions {
  /** The field as the client spelt it. */
  readonly field: string
  readonly service: Service
  readonly options: CallOptions
  readonly model: string | undefined
  /** What integers are. */
  readonly vocabulary: DecodeTask['vocabulary']
  /** What the texts are wanted for; to be embedded unless told. */
  readonly purpose?: DecodeTask['purpose']
}

/**
 * Texts of a field that may be a text, token ids of one, or a list of either and of objects with a `text`. Ids are decoded.
 * Throws `invalid_request`, or `wrong_task` for an image.
 */
export function readTexts(value: unknown, options: TextsOptions): Promise<readonly string[]> {
  return readEach(value, options, readItem)
}

/** As `readTexts`, with what `readOther` makes of items that are neither strings nor token ids. A list of strings is not copied. */
export async function readEach<T>(
  value: unknown,
  options: TextsOptions,
  readOther: (item: unknown, name: string) => string | T,
): Promise<readonly (string | T)[]> {
  const { field } = options
  if (typeof value === 'string') return [value]
  if (isRecord(value)) return [readOther(value, field)]
  if (!Array.isArray(value)) throw notA('a string, a list of strings, or token ids', value, field)
  expectItems(value, field)
  if (typeof value[0] === 'number') return decode([{ name: field, ids: readIds(value, field) }], options)
  if (value.every((item) => typeof item === 'string')) return value
  const lists: NamedIds[] = []
  const places: number[] = []
  const items = value.map((item: unknown, index): string | T => {
    const name = `${field}[${index}]`
    if (typeof item === 'string') return item
    if (!Array.isArray(item)) return readOther(item, name)
    lists.push({ name, ids: readIds(item, name) })
    places.push(index)
    return ''
  })
  if (lists.length === 0) return items
  const texts = await decode(lists, options)
  for (const [at, place] of places.entries()) items[place] = texts[at] as string
  return items
}

export interface NamedIds {
  /** Their place in the request, for errors. */
  readonly name: string
  readonly ids: readonly number[]
}

async function decode(lists: readonly NamedIds[], asked: TextsOptions): Promise<readonly string[]> {
  const { service, options, model, vocabulary, purpose = 'embed' } = asked
  const ids = lists.map((list) => list.ids)
  const names = lists.map(({ name }) => name)
  const task = {
    kind: 'decode',
    model,
    ids,
    names,
    vocabulary,
    purpose,
    skipSpecialTokens: true,
  } as const
  return (await service.decode(task, options)).texts
}

/** A list of strings, or one string. Throws `invalid_request`, and `wrong_task` for media. */
export function readStrings(value: unknown, field: string): readonly string[] {
  if (typeof value === 'string') return [value]
  if (isRecord(value)) expectText(value, field)
  if (!Array.isArray(value)) throw notA('a list of strings', value, field)
  expectItems(value, field)
  const wrong = value.findIndex((item) => typeof item !== 'string')
  if (wrong < 0) return value as string[]
  const item: unknown = value[wrong]
  const name = `${field}[${wrong}]`
  if (isRecord(item)) expectText(item, name)
  throw new ServerError('invalid_request', `${name} is ${show(item)}; every item must be a string`)
}

/** One or several lists of token ids. Throws `invalid_request`. */
export function readIdLists(value: unknown, field: string): readonly NamedIds[] {
  if (!Array.isArray(value)) throw notA('a list of token ids, or a list of such lists', value, field)
  expectItems(value, field)
  if (!Array.isArray(value[0])) return [{ name: field, ids: readIds(value, field) }]
  return value.map((item: unknown, index) => {
    const name = `${field}[${index}]`
    if (Array.isArray(item)) return { name, ids: readIds(item, name) }
    throw new ServerError(
      'invalid_request',
      `${name} is ${show(item)}; every item must be a list of token ids`,
    )
  })
}

/** Throws `invalid_request` for an empty list. */
export function expectItems(list: readonly unknown[], field: string): void {
  if (list.length > 0) return
  throw new ServerError('invalid_request', `${field} is an empty list; at least one item is needed`, {
    param: field,
  })
}

function readIds(list: readonly unknown[], field: string): readonly number[] {
  expectItems(list, field)
  const wrong = list.findIndex((id) => !Number.isInteger(id) || (id as number) < 0)
  if (wrong < 0) return list as readonly number[]
  throw new ServerError(
    'invalid_request',
    `${field}[${wrong}] is ${show(list[wrong])}; a token id must be a whole number, 0 or more`,
  )
}

function readItem(item: unknown, field: string): string {
  if (isRecord(item)) {
    expectText(item, field)
    const text = textOf(item, field)
    if (text !== undefined) return text
  }
  throw notAnItem(item, field)
}

/** Of an object its `text`, or its `content`; undefined: it has neither. Throws `invalid_request`. */
function textOf(item: Readonly<Record<string, unknown>>, field: string): string | undefined {
  const { text, content } = item
  if (typeof text === 'string') return text
  if (typeof content === 'string') return content
  return Array.isArray(content) ? readParts(content, `${field}.content`) : undefined
}

/** Of an object, where pictures and sounds are taken too. */
const ITEM_KEYS = 'a "text", an "image" or an "audio"'

function notAnItem(item: unknown, field: string, keys = 'a "text"'): ServerError {
  return new ServerError(
    'invalid_request',
    `${field} is ${show(item)}; every item must be a string, an object with ${keys}, or a list of token ids`,
  )
}

/** The parts of a message, joined by lines. Throws `invalid_request`. */
export function readParts(parts: readonly unknown[], field: string): string {
  expectItems(parts, field)
  return parts.map((part, index) => readText(part, `${field}[${index}]`)).join('\n')
}

/** Throws `wrong_task` for what has more to it than text: part of it would be left out in silence. */
export function expectText(item: Readonly<Record<string, unknown>>, field: string): void {
  const key = findMediaKey(item)
  if (key === undefined) return
  throw new ServerError('wrong_task', `${field} has "${key}"; text only is taken here`)
}

export interface ItemsOptions extends TextsOptions {
  readonly media: MediaReading
}

/**
 * As `readTexts`, of a field whose items may be pictures and sounds too: objects, or, where `media` says what strings are,
 * those. Throws `wrong_task` for an item that is more than one thing.
 */
export async function readItems(
  value: unknown,
  options: ItemsOptions,
): Promise<readonly (string | MediaItem)[]> {
  const { field, media } = options
  if (media.modality === undefined) {
    return readEach(value, options, (item, name) => readAnyItem(item, name, media))
  }
  if (typeof value === 'string') return [readMedia(value, field, media)]
  if (isRecord(value)) return [readAnyItem(value, field, media)]
  if (!Array.isArray(value)) throw notA('a string, or a list of strings or objects', value, field)
  expectItems(value, field)
  return value.map((item: unknown, index) => {
    const name = `${field}[${index}]`
    return typeof item === 'string' ? readMedia(item, name, media) : readAnyItem(item, name, media)
  })
}

function readAnyItem(item: unknown, name: string, media: MediaReading): string | MediaItem {
  if (!isRecord(item)) throw notAnItem(item, name, ITEM_KEYS)
  const found = readMediaObject(item, name, media)
  if (found !== undefined) return found
  const { text, content } = item
  const parts: readonly unknown[] = typeof text !== 'string' && Array.isArray(content) ? content : []
  const places = parts.flatMap((part, index) =>
    isRecord(part) && findMediaKey(part) !== undefined ? [index] : [],
  )
  const [place, another] = places
  if (place === undefined) {
    const said = textOf(item, name)
    if (said === undefined) throw wrongMedia(item, name) ?? notAnItem(item, name, ITEM_KEYS)
    return said
  }
  if (another !== undefined) throw notOne(name, 'several images or sounds in its content')
  if (parts.length > 1) throw notOne(name, 'text and media in its content')
  return readAnyItem(parts[place], `${name}.content[${place}]`, media)
}
