/** The wire format of protocol buffers: a message is numbered fields, each with its kind before it. */

export type WireValue = bigint | Buffer

export interface WireField {
  readonly number: number
  readonly kind: WireKind
  /** A varint's number; the bytes of any other kind. */
  readonly value: WireValue
}

export type WireKind = 'varint' | 'bytes' | 'fixed32' | 'fixed64'

/** Groups (3, 4) went out of use before SentencePiece came up. */
const KINDS: Readonly<Record<number, WireKind>> = { 0: 'varint', 1: 'fixed64', 2: 'bytes', 5: 'fixed32' }

/** Seven bits a byte, of 64. */
const MAX_VARINT_BYTES = 10

/** Fields in the order of the message. `fail`: what is thrown, told what is wrong. */
export function* readFields(message: Buffer, fail: (what: string) => Error): Generator<WireField> {
  for (let at = 0; at < message.length;) {
    const [tag, afterTag] = readVarint(message, at, fail)
    const kind = KINDS[Number(tag & 7n)]
    const number = Number(tag >> 3n)
    if (kind === undefined) throw fail(`has a field ${number} of the unknown kind ${tag & 7n}`)
    const [value, end] = readValue(message, afterTag, { kind, number, fail })
    yield { number, kind, value }
    at = end
  }
}

interface Reading {
  readonly kind: WireKind
  readonly number: number
  readonly fail: (what: string) => Error
}

function readValue(message: Buffer, at: number, { kind, number, fail }: Reading): [WireValue, end: number] {
  if (kind === 'varint') return readVarint(message, at, fail)
  const [length, start] =
    kind === 'bytes' ? readVarint(message, at, fail) : [kind === 'fixed32' ? 4n : 8n, at]
  if (length > BigInt(message.length - start))
    throw fail(`has a field ${number} of ${length} bytes where ${message.length - start} are left`)
  const end = start + Number(length)
  return [message.subarray(start, end), end]
}

function readVarint(message: Buffer, at: number, fail: (what: string) => Error): [bigint, end: number] {
  let value = 0n
  for (let i = 0; i < MAX_VARINT_BYTES; i++) {
    const byte = message[at + i]
    if (byte === undefined) throw fail('ends in the middle of a number')
    value |= BigInt(byte & 127) << BigInt(7 * i)
    if (byte < 128) return [BigInt.asUintN(64, value), at + i + 1]
  }
  throw fail(`has a number of more than ${MAX_VARINT_BYTES} bytes`)
}
