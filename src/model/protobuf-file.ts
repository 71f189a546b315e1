/** Protocol buffers in a file, read where they lie: models have gigabytes, of which a few kilobytes tell what they are. */
import { ServerError } from '../errors.ts'

export const VARINT = 0
export const FIXED_64 = 1
export const BYTES = 2
export const FIXED_32 = 5

export interface Field {
  readonly number: number
  readonly wire: number
  /** Of a varint, read as a signed number of 64 bits; beyond 2^53 it is rounded. */
  readonly value: number
  /** Where the field's tag begins in the file, and where its content does. */
  readonly begin: number
  readonly start: number
  readonly end: number
}

/** Read at once: most messages that are looked into lie in one piece of it. */
const WINDOW = 65_536
const TAG_AND_LENGTH = 20
/**
 * What the library of protocol buffers reads of a tag and of a length. Of more it would keep a part, so it would see fields
 * that were passed over here.
 */
const MOST_TAG = 2 ** 32 - 1
const MOST_LENGTH = 2 ** 31 - 1
const SHORT_NUMBER = 5
const LONG_NUMBER = 10
/** Of one file: no model has a tenth of it, and what claims more would be walked for minutes. */
const MOST_FIELDS = 1_000_000

/** An open file, or what is read like one. */
export interface Source {
  readonly read: (
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ) => Promise<{ readonly bytesRead: number }>
}

export class ProtobufFile {
  readonly #source: Source
  /** What errors call it. */
  readonly #name: string
  readonly size: number
  #window = Buffer.alloc(0)
  #offset = 0
  #fields = 0

  constructor(source: Source, size: number, name: string) {
    this.#source = source
    this.size = size
    this.#name = name
  }

  /** The fields of the message between two places of the file. Throws `model_invalid` where they are none. */
  async *fields(start: number, end: number): AsyncGenerator<Field> {
    for (let begin = start; begin < end;) {
      if (++this.#fields > MOST_FIELDS)
        throw this.invalid(`it has more than ${MOST_FIELDS} fields, which no model has`)
      await this.#load(begin, Math.min(TAG_AND_LENGTH, end - begin))
      const [tag, behindTag] = this.#short(begin, end, MOST_TAG)
      const [number, wire] = [Math.floor(tag / 8), tag % 8]
      if (number === 0) throw this.invalid(`byte ${begin} begins a field of number 0, which no message has`)
      const field = this.#fieldAt({ number, wire, begin }, behindTag, end)
      yield field
      begin = field.end
    }
  }

  /** Throws `model_invalid` where the file ends before them. */
  async bytes(start: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(length)
    const { bytesRead } = await this.#source.read(bytes, 0, length, start)
    if (bytesRead !== length) throw this.invalid(`it ends before byte ${start + length}`)
    return bytes
  }

  /** Of a field of bytes. Throws `model_invalid` where they are more than a name may have. */
  async text({ wire, start, end }: Field, most: number): Promise<string> {
    if (wire !== BYTES || end - start > most)
      throw this.invalid(`a text at byte ${start} has ${end - start} bytes; at most ${most} are allowed`)
    return Buffer.from(await this.bytes(start, end - start)).toString('utf8')
  }

  invalid(problem: string): ServerError {
    return new ServerError('model_invalid', `${this.#name} is no sound ONNX file: ${problem}`)
  }

  #fieldAt(head: Pick<Field, 'number' | 'wire' | 'begin'>, start: number, end: number): Field {
    const [value, behind] = this.#numberOf(head.wire, start, end)
    const field = { ...head, value, ...this.#contentOf(head.wire, { value, start, behind }) }
    if (field.end <= end) return field
    throw this.invalid(
      `field ${head.number} at byte ${head.begin} ends at byte ${field.end}, what holds it at ${end} (is it truncated?)`,
    )
  }

  #numberOf(wire: number, start: number, end: number): [value: number, behind: number] {
    if (wire === VARINT) return this.#varint(start, end)
    return wire === BYTES ? this.#short(start, end, MOST_LENGTH) : [0, start]
  }

  #contentOf(
    wire: number,
    { value, start, behind }: { value: number; start: number; behind: number },
  ): Pick<Field, 'start' | 'end'> {
    if (wire === VARINT) return { start, end: behind }
    if (wire === BYTES) return { start: behind, end: behind + value }
    if (wire === FIXED_64) return { start, end: start + 8 }
    if (wire === FIXED_32) return { start, end: start + 4 }
    throw this.invalid(`byte ${start - 1} begins a field of wire type ${wire}`)
  }

  /** A tag or a length, and the place behind it. */
  #short(start: number, end: number, most: number): [value: number, behind: number] {
    const [value, behind] = this.#varint(start, end)
    if (behind - start <= SHORT_NUMBER && value <= most) return [value, behind]
    throw this.invalid(
      `the tag or length at byte ${start} has ${behind - start} bytes and is ${value}; at most ${SHORT_NUMBER} and ${most} are allowed`,
    )
  }

  /** A number of 64 bits and the place behind it. */
  #varint(start: number, end: number): [value: number, behind: number] {
    let value = 0
    // Summed up beside it: what is near 0 from below would be rounded away.
    let complement = 0
    for (let index = 0; index < LONG_NUMBER && start + index < end; index++) {
      const byte = this.#window[start + index - this.#offset] as number
      const isLast = index === LONG_NUMBER - 1
      if (isLast && byte === 1) return [-complement - 1, start + LONG_NUMBER]
      if (isLast && byte > 1) break
      value += (byte & 0x7f) * 2 ** (7 * index)
      complement += (0x7f - (byte & 0x7f)) * 2 ** (7 * index)
      if (byte < 0x80) return [value, start + index + 1]
    }
    throw this.invalid(`the number at byte ${start} has no end, or more than 64 bits`)
  }

  async #load(start: number, length: number): Promise<void> {
    if (start >= this.#offset && start + length <= this.#offset + this.#window.length) return
    const buffer = Buffer.alloc(Math.min(WINDOW, this.size - start))
    const { bytesRead } = await this.#source.read(buffer, 0, buffer.length, start)
    if (bytesRead < length) throw this.invalid(`it cannot be read at byte ${start}`)
    this.#window = buffer.subarray(0, bytesRead)
    this.#offset = start
  }
}

/** Bytes in memory, read like a file. */
export function sourceOf(bytes: Uint8Array): Source {
  return {
    read(buffer, offset, length, position) {
      const found = bytes.subarray(position, position + length)
      buffer.set(found, offset)
      return Promise.resolve({ bytesRead: found.byteLength })
    },
  }
}

/** A number as it stands in a message. */
export function varint(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80)
  return Uint8Array.from([...bytes, rest])
}
