/** Pictures and sounds as clients spell them: addresses, data URIs and base64, as strings or in objects. */
import { isGiven, isRecord, show } from '../../base/json-value.ts'
import { ServerError } from '../../errors.ts'
import type { MediaItem } from '../../task.ts'

export type MediaModality = MediaItem['modality']

export interface MediaReading {
  /** What strings are, and addresses that do not say. Undefined: strings are texts. */
  readonly modality: MediaModality | undefined
  /** Largest file. */
  readonly maxBytes: number
}

/** Keys of a picture or a sound; what some of them hold may be either. */
const KINDS: Readonly<Record<string, MediaModality | 'either'>> = {
  image: 'image',
  image_url: 'image',
  image_base64: 'image',
  audio: 'audio',
  audio_url: 'audio',
  /** As a part of OpenAI's messages. */
  input_audio: 'audio',
  bytes: 'either',
  url: 'either',
}
const NOT_READ = ['pdf', 'video', 'video_url', 'video_base64']

const KEYS = [...Object.keys(KINDS), ...NOT_READ]

/** The first key by which an object has more to it than text; undefined: it has none. */
export function findMediaKey(item: Readonly<Record<string, unknown>>): string | undefined {
  return KEYS.find((key) => isMedia(item, key))
}

/** Beside a text an address only tells where it is from. */
function isMedia(item: Readonly<Record<string, unknown>>, key: string): boolean {
  const value = item[key]
  if (typeof value !== 'string' && !isRecord(value)) return false
  return key !== 'url' || typeof item['text'] !== 'string'
}

/**
 * The one picture or sound of an object with a key for it; undefined: it has none. Throws `invalid_request`, and `wrong_task`
 * where there is more than one thing to it, or something that no model reads.
 */
export function readMediaObject(
  item: Readonly<Record<string, unknown>>,
  name: string,
  reading: MediaReading,
): MediaItem | undefined {
  const [key, other] = KEYS.filter((key) => isMedia(item, key))
  if (key === undefined) return undefined
  const kind = KINDS[key]
  if (kind === undefined)
    throw new ServerError('wrong_task', `${name} has "${key}", which no model here reads`)
  if (other !== undefined) throw notOne(name, `"${key}" and "${other}"`)
  const words = ['text', 'content'].find((words) => isGiven(item[words]) && item[words] !== '')
  if (words !== undefined) throw notOne(name, `"${words}" and "${key}"`)
  const value = item[key]
  const source = isRecord(value) ? (value['url'] ?? value['data'] ?? value['bytes']) : value
  if (typeof source !== 'string') throw wrongValue(name, key, value)
  return readMedia(source, name, { ...reading, modality: kind === 'either' ? reading.modality : kind })
}

/** Of an object without a text and with no media that could be read; undefined: it has no key for them either. */
export function wrongMedia(item: Readonly<Record<string, unknown>>, name: string): ServerError | undefined {
  const key = Object.keys(KINDS).find((key) => Object.hasOwn(item, key))
  return key === undefined ? undefined : wrongValue(name, key, item[key])
}

function wrongValue(name: string, key: string, value: unknown): ServerError {
  const allowed = `a string, or an object with a "url" that is one`
  return new ServerError('invalid_request', `${name}.${key} is ${show(value)}; it must be ${allowed}`)
}

/** Of what a model makes no vector: more than one thing in one item. */
export function notOne(name: string, has: string): ServerError {
  return new ServerError(
    'wrong_task',
    `${name} has ${has}; a vector is of one text, one image or one sound: make each an item of its own`,
  )
}

const ALLOWED = 'an http or https address, a data URI, or base64'

/** Throws `invalid_request` naming the item. Where nothing says what it is, it is a picture. */
export function readMedia(given: string, name: string, { modality, maxBytes }: MediaReading): MediaItem {
  const text = /^\s/.test(given) ? given.trimStart() : given
  if (/^https?:/i.test(text)) return { modality: modality ?? 'image', name, source: { url: text } }
  if (/^data:/i.test(text)) {
    const { type, bytes } = readDataUri(text, name, maxBytes)
    return { modality: modality ?? (type.startsWith('audio/') ? 'audio' : 'image'), name, source: { bytes } }
  }
  // A colon is in no base64.
  if (text === '' || /^[a-z][a-z\d+.-]*:/i.test(text.slice(0, 40))) {
    throw new ServerError('invalid_request', `${name} is ${show(text)}; it must be ${ALLOWED}`)
  }
  return { modality: modality ?? 'image', name, source: { bytes: decodeBase64(text, name, maxBytes) } }
}

/** `data:[type/subtype][;parameters][;base64],payload`; without `;base64` the payload is percent-encoded. */
function readDataUri(text: string, name: string, maxBytes: number): { type: string; bytes: Uint8Array } {
  const comma = text.indexOf(',')
  if (comma < 0) throw new ServerError('invalid_request', `${name} is a data URI without a comma`)
  const [type = '', ...parameters] = text.slice('data:'.length, comma).toLowerCase().split(';')
  const isBase64 = parameters.some((parameter) => parameter.trim() === 'base64')
  const payload = text.slice(comma + 1)
  if (payload === '') throw new ServerError('invalid_request', `${name} is a data URI without data`)
  const bytes = isBase64
    ? decodeBase64(payload.includes('%') ? decodePercents(payload, name) : payload, name, maxBytes)
    : expectSize(unescapeBytes(payload, name), name, maxBytes)
  return { type: type.trim(), bytes }
}

function decodeBase64(text: string, name: string, maxBytes: number): Uint8Array {
  // before anything is made of it; line breaks may be a part of it
  const least = Math.floor(text.length * 0.7)
  if (least > maxBytes) throw tooLarge(name, `some ${Math.floor(text.length * 0.75)}`, maxBytes)
  return expectSize(parseBase64(text, name), name, maxBytes)
}

/** Padding may be missing, and the alphabet that of addresses. */
function parseBase64(text: string, name: string): Uint8Array {
  // Eight times as fast, and drops what is not base64: as many bytes as there should be means that nothing was.
  const { buffer, byteOffset, length } = Buffer.from(text, 'base64')
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  const digits = text.length - padding
  const isWhole = padding === 0 ? digits % 4 !== 1 : text.length % 4 === 0
  const isPlain = !text.includes('-') && !text.includes('_')
  if (isPlain && isWhole && length === Math.floor((digits * 3) / 4))
    return new Uint8Array(buffer, byteOffset, length)
  try {
    return Uint8Array.fromBase64(text)
  } catch {
    try {
      return Uint8Array.fromBase64(text, { alphabet: 'base64url' })
    } catch {
      const is = `is ${text.length} characters that are not base64`
      throw new ServerError('invalid_request', `${name} ${is}; it must be ${ALLOWED}`)
    }
  }
}

function decodePercents(text: string, name: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw wrongPercent(name)
  }
}

/** By a plain loop: a large file would be millions of matches. */
function unescapeBytes(text: string, name: string): Uint8Array {
  const bytes = new Uint8Array(Buffer.from(text))
  let count = 0
  for (let at = 0; at < bytes.length; at++) {
    let byte = bytes[at] as number
    if (byte === PERCENT) {
      byte = 16 * hexDigit(bytes[at + 1]) + hexDigit(bytes[at + 2])
      if (Number.isNaN(byte)) throw wrongPercent(name)
      at += 2
    }
    bytes[count++] = byte
  }
  return bytes.slice(0, count)
}

const PERCENT = 0x25

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return NaN
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : NaN
}

function wrongPercent(name: string): ServerError {
  return new ServerError(
    'invalid_request',
    `${name} is a data URI with a "%" that is not followed by two hex digits`,
  )
}

function expectSize<T extends Uint8Array>(bytes: T, name: string, maxBytes: number): T {
  if (bytes.length > maxBytes) throw tooLarge(name, String(bytes.length), maxBytes)
  return bytes
}

function tooLarge(name: string, bytes: string, maxBytes: number): ServerError {
  return new ServerError(
    'invalid_request',
    `${name} has ${bytes} bytes; at most ${maxBytes} are taken (MEDIA_MAX_MB)`,
  )
}
