/** Where the entries of a zip archive lie, so that they can be read in place. Nothing is unpacked. */
import type { FileHandle } from 'node:fs/promises'
import { ServerError } from '../errors.ts'

export interface ZipEntry {
  /** Of the entry's own bytes, counted from the start of the archive. */
  readonly byteOffset: number
  readonly byteLength: number
}

export interface OpenArchive {
  readonly handle: FileHandle
  readonly size: number
  /** What errors call it. */
  readonly name: string
}

const LOCAL_HEADER = { signature: 0x04034b50, length: 30 }
const CENTRAL_HEADER = { signature: 0x02014b50, length: 46 }
const END = { signature: 0x06054b50, length: 22 }
const END_64_LOCATOR = { signature: 0x07064b50, length: 20 }
const END_64 = { signature: 0x06064b50, length: 56 }

/** The end of the directory is followed by a comment of at most so many bytes. */
const MAX_COMMENT_BYTES = 0xffff
/** In a field of 32 bits: the number stands in the extra field of 64-bit archives. */
const ELSEWHERE = 0xffff_ffff
const EXTRA_64 = 1
const IS_ENCRYPTED = 1
const STORED = 0

/** A checkpoint of 100,000 tensors has a tenth of it. */
const MAX_DIRECTORY_BYTES = 100_000_000

/**
 * Every entry by its path. Throws `model_invalid` where the archive contradicts itself, `model_unsupported` for entries that
 * are compressed or encrypted, and so do not lie there as they are.
 */
export async function readZipDirectory(archive: OpenArchive): Promise<ReadonlyMap<string, ZipEntry>> {
  const { byteOffset, byteLength } = await findDirectory(archive)
  if (byteLength > MAX_DIRECTORY_BYTES)
    throw invalid(
      archive,
      `its directory claims ${byteLength} bytes; at most ${MAX_DIRECTORY_BYTES} are allowed`,
    )
  const directory = await readBytes(archive, { byteOffset, byteLength }, 'its directory')
  const entries = new Map<string, ZipEntry>()
  const taken: { name: string; begin: number; end: number }[] = []
  for (const listed of listEntries(directory, archive)) {
    if (entries.has(listed.name)) throw invalid(archive, `entry ${listed.name} stands in it twice`)
    const entry = await locate(listed, archive)
    entries.set(listed.name, entry)
    taken.push({ name: listed.name, begin: listed.headerOffset, end: entry.byteOffset + entry.byteLength })
  }
  taken.push({ name: 'its directory', begin: byteOffset, end: byteOffset + byteLength })
  expectNoOverlap(taken, archive)
  return entries
}

/** Bytes of the archive. Throws `model_invalid` where it ends before them. */
export async function readBytes(
  archive: OpenArchive,
  { byteOffset, byteLength }: ZipEntry,
  what: string,
): Promise<Buffer> {
  if (byteOffset + byteLength > archive.size) {
    throw invalid(
      archive,
      `${what} ends at byte ${byteOffset + byteLength}; the file has ${archive.size} (is it truncated?)`,
    )
  }
  const { buffer, bytesRead } = await archive.handle.read(Buffer.alloc(byteLength), 0, byteLength, byteOffset)
  if (bytesRead !== byteLength) throw invalid(archive, `${what} cannot be read whole`)
  return buffer
}

async function findDirectory(archive: OpenArchive): Promise<ZipEntry> {
  const tailLength = Math.min(archive.size, END.length + MAX_COMMENT_BYTES)
  const tail = await readBytes(
    archive,
    { byteOffset: archive.size - tailLength, byteLength: tailLength },
    'its end',
  )
  const at = findEnd(tail)
  if (at < 0) throw invalid(archive, 'it has no zip directory at its end (is it truncated?)')
  const byteLength = tail.readUInt32LE(at + 12)
  const byteOffset = tail.readUInt32LE(at + 16)
  const locator = archive.size - tailLength + at - END_64_LOCATOR.length
  return (await findDirectory64(archive, locator)) ?? { byteOffset, byteLength }
}

/** The last place where the end of a directory begins and its comment fills the rest. */
function findEnd(tail: Buffer): number {
  for (let at = tail.length - END.length; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== END.signature) continue
    if (at + END.length + tail.readUInt16LE(at + 20) === tail.length) return at
  }
  return -1
}

async function findDirectory64(archive: OpenArchive, locatorOffset: number): Promise<ZipEntry | undefined> {
  if (locatorOffset < 0) return undefined
  const locator = await readBytes(
    archive,
    { byteOffset: locatorOffset, byteLength: END_64_LOCATOR.length },
    'its locator',
  )
  if (locator.readUInt32LE(0) !== END_64_LOCATOR.signature) return undefined
  const place = { byteOffset: wholeNumber(locator, 8, archive), byteLength: END_64.length }
  const record = await readBytes(archive, place, 'its directory')
  if (record.readUInt32LE(0) !== END_64.signature)
    throw invalid(archive, 'its 64-bit directory is not where it says')
  return { byteLength: wholeNumber(record, 40, archive), byteOffset: wholeNumber(record, 48, archive) }
}

interface ListedEntry {
  readonly name: string
  readonly byteLength: number
  readonly headerOffset: number
}

function* listEntries(directory: Buffer, archive: OpenArchive): Generator<ListedEntry> {
  for (let at = 0; at < directory.length;) {
    const rest = directory.length - at
    if (rest < CENTRAL_HEADER.length || directory.readUInt32LE(at) !== CENTRAL_HEADER.signature)
      throw invalid(archive, `its directory is broken at byte ${at}`)
    const nameLength = directory.readUInt16LE(at + 28)
    const extraLength = directory.readUInt16LE(at + 30)
    const nameAt = at + CENTRAL_HEADER.length
    const end = nameAt + nameLength + extraLength + directory.readUInt16LE(at + 32)
    if (end > directory.length) throw invalid(archive, `its directory is broken at byte ${at}`)
    const name = directory.toString('utf8', nameAt, nameAt + nameLength)
    const extra = directory.subarray(nameAt + nameLength, nameAt + nameLength + extraLength)
    yield readListed(directory.subarray(at, nameAt), { name, extra }, archive)
    at = end
  }
}

function readListed(
  header: Buffer,
  { name, extra }: { readonly name: string; readonly extra: Buffer },
  archive: OpenArchive,
): ListedEntry {
  const problem =
    (header.readUInt16LE(8) & IS_ENCRYPTED) !== 0
      ? 'encrypted'
      : header.readUInt16LE(10) !== STORED
        ? 'compressed'
        : undefined
  if (problem !== undefined) {
    throw new ServerError(
      'model_unsupported',
      `${archive.name}: entry ${name} is ${problem}; supported are entries stored as they are, as torch.save writes them`,
    )
  }
  const wide = new WideNumbers(extra, name, archive)
  // The order in which the extra field has those that it has.
  const byteLength = wide.take(header.readUInt32LE(24))
  const storedLength = wide.take(header.readUInt32LE(20))
  const headerOffset = wide.take(header.readUInt32LE(42))
  if (storedLength !== byteLength)
    throw invalid(archive, `entry ${name} has ${byteLength} bytes and takes ${storedLength}`)
  return { name, byteLength, headerOffset }
}

/** The numbers of 64 bits in the extra field of an entry. */
class WideNumbers {
  readonly #numbers: Buffer
  readonly #entry: string
  readonly #archive: OpenArchive
  #at = 0

  constructor(extra: Buffer, entry: string, archive: OpenArchive) {
    this.#numbers = findExtra(extra)
    this.#entry = entry
    this.#archive = archive
  }

  /** The number itself, unless it says that it stands here. */
  take(narrow: number): number {
    if (narrow !== ELSEWHERE) return narrow
    if (this.#at + 8 > this.#numbers.length)
      throw invalid(this.#archive, `entry ${this.#entry} lacks its 64-bit sizes`)
    this.#at += 8
    return wholeNumber(this.#numbers, this.#at - 8, this.#archive)
  }
}

function findExtra(extra: Buffer): Buffer {
  for (let at = 0; at + 4 <= extra.length;) {
    const end = at + 4 + extra.readUInt16LE(at + 2)
    if (extra.readUInt16LE(at) === EXTRA_64) return extra.subarray(at + 4, end)
    at = end
  }
  return extra.subarray(0, 0)
}

/** The bytes follow a second header, whose length is its own: torch fills it up so that tensors are aligned. */
async function locate(
  { name, byteLength, headerOffset }: ListedEntry,
  archive: OpenArchive,
): Promise<ZipEntry> {
  const header = await readBytes(
    archive,
    { byteOffset: headerOffset, byteLength: LOCAL_HEADER.length },
    `the header of entry ${name}`,
  )
  if (header.readUInt32LE(0) !== LOCAL_HEADER.signature)
    throw invalid(archive, `entry ${name} is not at byte ${headerOffset}`)
  const byteOffset = headerOffset + LOCAL_HEADER.length + header.readUInt16LE(26) + header.readUInt16LE(28)
  if (byteOffset + byteLength > archive.size)
    throw invalid(
      archive,
      `entry ${name} ends at byte ${byteOffset + byteLength}; the file has ${archive.size} (is it truncated?)`,
    )
  return { byteOffset, byteLength }
}

function expectNoOverlap(
  taken: readonly { readonly name: string; readonly begin: number; readonly end: number }[],
  archive: OpenArchive,
): void {
  const sorted = taken.toSorted((a, b) => a.begin - b.begin)
  for (const [i, next] of sorted.entries()) {
    const previous = sorted[i - 1]
    if (previous !== undefined && next.begin < previous.end)
      throw invalid(archive, `entries ${previous.name} and ${next.name} overlap at byte ${next.begin}`)
  }
}

function wholeNumber(bytes: Buffer, at: number, archive: OpenArchive): number {
  const value = bytes.readBigUInt64LE(at)
  if (value > BigInt(Number.MAX_SAFE_INTEGER))
    throw invalid(archive, `it names byte ${value}; the file has ${archive.size}`)
  return Number(value)
}

function invalid({ name }: OpenArchive, what: string): ServerError {
  return new ServerError('model_invalid', `${name}: ${what}`)
}
