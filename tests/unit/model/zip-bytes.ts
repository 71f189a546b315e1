/** Writes zip archives after the format's own description (APPNOTE 6.3), whole or with a fault. */

export interface RawEntry {
  readonly name: string
  readonly bytes: Uint8Array
  /** 0 is stored. */
  readonly method?: number
  /** 1 is encrypted. */
  readonly flags?: number
  /** Bytes of an extra field in the header before the entry: torch aligns tensors with it. */
  readonly padding?: number
  /** What the directory says instead of the truth. */
  readonly claims?: { readonly offset?: number; readonly size?: number; readonly storedSize?: number }
}

export interface ZipOptions {
  /** 64-bit sizes and offsets throughout, as torch writes large checkpoints. */
  readonly wide?: boolean
  readonly comment?: string
  /** What the end says of the directory instead of the truth. */
  readonly directory?: { readonly offset?: number; readonly size?: number }
}

const ELSEWHERE = 0xffff_ffff

export function zip(
  entries: readonly RawEntry[],
  { wide = false, comment = '', directory = {} }: ZipOptions = {},
) {
  const parts: Uint8Array[] = []
  const listed: Uint8Array[] = []
  let offset = 0
  for (const entry of entries) {
    const local = [localHeader(entry), entry.bytes]
    listed.push(centralHeader(entry, offset, wide))
    parts.push(...local)
    offset += local.reduce((sum, { length }) => sum + length, 0)
  }
  const size = listed.reduce((sum, { length }) => sum + length, 0)
  const place = { offset, size, ...directory }
  const end64 = wide ? [wideEnd(place, entries.length), locator(offset + size)] : []
  return Buffer.concat([
    ...parts,
    ...listed,
    ...end64,
    end(wide ? undefined : place, entries.length, comment),
  ])
}

function localHeader({ name, bytes, method = 0, flags = 0, padding = 0 }: RawEntry): Uint8Array {
  const header = Buffer.alloc(30)
  header.writeUInt32LE(0x04034b50, 0)
  header.writeUInt16LE(flags, 6)
  header.writeUInt16LE(method, 8)
  header.writeUInt32LE(bytes.length, 18)
  header.writeUInt32LE(bytes.length, 22)
  header.writeUInt16LE(Buffer.byteLength(name), 26)
  header.writeUInt16LE(padding, 28)
  return Buffer.concat([header, Buffer.from(name), Buffer.alloc(padding, 'Z')])
}

function centralHeader(
  { name, bytes, method = 0, flags = 0, claims = {} }: RawEntry,
  at: number,
  wide: boolean,
) {
  const { offset = at, size = bytes.length, storedSize = size } = claims
  const extra = wide ? Buffer.alloc(28 + 6) : Buffer.alloc(0)
  if (wide) {
    // something else may stand before it
    extra.writeUInt16LE(0x5455, 0)
    extra.writeUInt16LE(2, 2)
    extra.writeUInt16LE(1, 6)
    extra.writeUInt16LE(24, 8)
    for (const [i, value] of [size, storedSize, offset].entries())
      extra.writeBigUInt64LE(BigInt(value), 10 + 8 * i)
  }
  const header = Buffer.alloc(46)
  header.writeUInt32LE(0x02014b50, 0)
  header.writeUInt16LE(flags, 8)
  header.writeUInt16LE(method, 10)
  header.writeUInt32LE(wide ? ELSEWHERE : storedSize, 20)
  header.writeUInt32LE(wide ? ELSEWHERE : size, 24)
  header.writeUInt16LE(Buffer.byteLength(name), 28)
  header.writeUInt16LE(extra.length, 30)
  header.writeUInt32LE(wide ? ELSEWHERE : offset, 42)
  return Buffer.concat([header, Buffer.from(name), extra])
}

interface Place {
  readonly offset: number
  readonly size: number
}

function wideEnd({ offset, size }: Place, count: number): Uint8Array {
  const record = Buffer.alloc(56)
  record.writeUInt32LE(0x06064b50, 0)
  record.writeBigUInt64LE(44n, 4)
  record.writeBigUInt64LE(BigInt(count), 24)
  record.writeBigUInt64LE(BigInt(count), 32)
  record.writeBigUInt64LE(BigInt(size), 40)
  record.writeBigUInt64LE(BigInt(offset), 48)
  return record
}

function locator(recordOffset: number): Uint8Array {
  const bytes = Buffer.alloc(20)
  bytes.writeUInt32LE(0x07064b50, 0)
  bytes.writeBigUInt64LE(BigInt(recordOffset), 8)
  bytes.writeUInt32LE(1, 16)
  return bytes
}

function end(place: Place | undefined, count: number, comment: string): Uint8Array {
  const record = Buffer.alloc(22)
  record.writeUInt32LE(0x06054b50, 0)
  record.writeUInt16LE(count, 8)
  record.writeUInt16LE(count, 10)
  record.writeUInt32LE(place?.size ?? ELSEWHERE, 12)
  record.writeUInt32LE(place?.offset ?? ELSEWHERE, 16)
  record.writeUInt16LE(Buffer.byteLength(comment), 20)
  return Buffer.concat([record, Buffer.from(comment)])
}
