/** Models of SentencePiece byte by byte, so that each can be broken in one place. */

export interface PieceParts {
  readonly content?: string | Uint8Array
  readonly score?: number
  readonly kind?: number
}

export interface ModelParts {
  readonly pieces?: readonly (string | PieceParts)[]
  /** Fields of the trainer by their numbers. */
  readonly trainer?: Readonly<Record<number, number | string>>
  readonly charsmap?: Uint8Array
}

export function pieceModel({ pieces = [], trainer = {}, charsmap }: ModelParts): Buffer {
  return Buffer.concat([
    ...pieces.map((piece) =>
      bytesField(1, pieceBytes(typeof piece === 'string' ? { content: piece } : piece)),
    ),
    bytesField(
      2,
      ...Object.entries(trainer).map(([number, value]) =>
        typeof value === 'number'
          ? varintField(Number(number), value)
          : bytesField(Number(number), Buffer.from(value)),
      ),
    ),
    ...(charsmap === undefined ? [] : [bytesField(3, bytesField(2, charsmap))]),
  ])
}

function pieceBytes({ content, score = -1, kind }: PieceParts): Buffer {
  return Buffer.concat([
    ...(content === undefined ? [] : [bytesField(1, Buffer.from(content as string))]),
    floatField(2, score),
    ...(kind === undefined ? [] : [varintField(3, kind)]),
  ])
}

export function bytesField(number: number, ...parts: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.concat(parts)
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes])
}

/** `value` may be negative: as 64 bits, as protocol buffers have it. */
export function varintField(number: number, value: number): Buffer {
  return Buffer.concat([varint(number * 8), varint(value)])
}

export function floatField(number: number, value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return Buffer.concat([varint(number * 8 + 5), bytes])
}

export function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, BigInt(value))
  do {
    bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0))
    rest >>= 7n
  } while (rest > 0n)
  return Buffer.from(bytes)
}

/** Rules of normalization: the trie's units, then the texts. `byteLength`: what the trie claims. */
export function charsmap(
  units: readonly number[],
  texts: string | Uint8Array = '',
  byteLength = 4 * units.length,
): Buffer {
  const numbers = Buffer.alloc(4 * (units.length + 1))
  numbers.writeUInt32LE(byteLength)
  for (const [i, unit] of units.entries()) numbers.writeUInt32LE(unit >>> 0, 4 * (i + 1))
  return Buffer.concat([numbers, Buffer.from(texts as string)])
}

/** A trie of one rule, for the byte `a`, whose leaf has this value. */
export function trieOf(leaf: number): number[] {
  const units = Array.from({ length: 512 }, () => 0)
  const root = 256
  units[0] = root << 10
  // from unit root ^ 'a' to its leaf in the first block
  const at = root ^ 97
  units[at] = (((at ^ 1) << 10) | (1 << 8) | 97) >>> 0
  units[1] = (leaf | 0x8000_0000) >>> 0
  return units
}
