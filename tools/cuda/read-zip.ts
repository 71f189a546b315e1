/** Single files out of a large zip archive, without holding it in memory. */
import { createReadStream, createWriteStream } from 'node:fs'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { PassThrough, Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { crc32, createInflateRaw } from 'node:zlib'

export interface ZipEntry {
  readonly name: string
  readonly method: number
  readonly crc: number
  readonly packedSize: number
  readonly size: number
  readonly offset: number
}

const END_SIGNATURE = Buffer.from('PK\x05\x06', 'latin1')
const END_BYTES = 22
const LONGEST_COMMENT = 65_535
const ENTRY_SIGNATURE = 0x02014b50
const ENTRY_BYTES = 46
const LOCAL_SIGNATURE = 0x04034b50
const LOCAL_BYTES = 30
const STORED = 0
const DEFLATED = 8
/** Stands for a number that needs more than 32 bits. */
const TOO_LARGE = 0xffffffff

/** Throws an `Error` where the file is no zip archive, is cut short, or is too large for the plain format. */
export async function listZip(path: string): Promise<ZipEntry[]> {
  await using file = await open(path)
  const { size } = await file.stat()
  const tailLength = Math.min(size, END_BYTES + LONGEST_COMMENT)
  const tail = await readAt(file, size - tailLength, tailLength, path)
  const at = tail.lastIndexOf(END_SIGNATURE)
  if (at < 0 || at + END_BYTES > tail.length) throw new Error(`${path} is no complete zip archive`)
  const end = tail.subarray(at)
  const directorySize = end.readUInt32LE(12)
  const directoryAt = end.readUInt32LE(16)
  if (directoryAt === TOO_LARGE)
    throw new Error(`${path} is a zip archive of the 64-bit kind, which is not read`)
  const directory = await readAt(file, directoryAt, directorySize, path)
  return readDirectory(directory, end.readUInt16LE(10), path)
}

function readDirectory(directory: Buffer, count: number, path: string): ZipEntry[] {
  const entries: ZipEntry[] = []
  let at = 0
  for (let index = 0; index < count; index++) {
    const row = directory.subarray(at)
    if (row.length < ENTRY_BYTES || row.readUInt32LE(0) !== ENTRY_SIGNATURE) {
      throw new Error(`${path} is damaged: entry ${index} of its directory is none`)
    }
    const nameLength = row.readUInt16LE(28)
    entries.push({
      name: row.toString('utf8', ENTRY_BYTES, ENTRY_BYTES + nameLength),
      method: row.readUInt16LE(10),
      crc: row.readUInt32LE(16),
      packedSize: row.readUInt32LE(20),
      size: row.readUInt32LE(24),
      offset: row.readUInt32LE(42),
    })
    at += ENTRY_BYTES + nameLength + row.readUInt16LE(30) + row.readUInt16LE(32)
  }
  return entries
}

/** Writes one file of the archive to a path where nothing may be yet. Throws where what comes out is not what was packed. */
export async function extractEntry(path: string, entry: ZipEntry, to: string): Promise<void> {
  const { name, method, packedSize } = entry
  if (method !== STORED && method !== DEFLATED) {
    throw new Error(`${name} in ${path} is packed by method ${method}; 0 and 8 can be read`)
  }
  const start = await findStart(path, entry)
  const seen = { bytes: 0, crc: 0 }
  const count = new Transform({
    transform(chunk: Buffer, _, done) {
      seen.bytes += chunk.length
      seen.crc = crc32(chunk, seen.crc)
      done(null, chunk)
    },
  })
  await pipeline(
    // a range of no bytes cannot be asked for
    packedSize === 0 ? Readable.from([]) : createReadStream(path, { start, end: start + packedSize - 1 }),
    method === DEFLATED ? createInflateRaw() : new PassThrough(),
    count,
    createWriteStream(to, { flags: 'wx' }),
  )
  if (seen.bytes !== entry.size || seen.crc !== entry.crc) {
    throw new Error(`${name} in ${path} is damaged: its checksum does not fit`)
  }
}

/** The header before a file's bytes repeats its name, with other extra fields than the directory. */
async function findStart(path: string, { name, offset }: ZipEntry): Promise<number> {
  await using file = await open(path)
  const header = await readAt(file, offset, LOCAL_BYTES, path)
  if (header.readUInt32LE(0) !== LOCAL_SIGNATURE)
    throw new Error(`${path} is damaged: ${name} is not where it should be`)
  return offset + LOCAL_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28)
}

async function readAt(file: FileHandle, position: number, length: number, path: string): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position)
  if (bytesRead !== length) throw new Error(`${path} is cut short`)
  return buffer
}
