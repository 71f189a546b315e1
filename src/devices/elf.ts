/** What a shared library needs, read from its few kilobytes of headers: the CUDA provider as a whole has 272 MB. */
import { closeSync, openSync, readSync } from 'node:fs'

export interface ElfFile {
  readonly soname: string | undefined
  /** DT_NEEDED, in the order in which the loader takes them. */
  readonly needed: readonly string[]
  /** Folders of DT_RUNPATH, `$ORIGIN` not yet replaced. */
  readonly runpath: readonly string[]
  /** Folders of DT_RPATH, which counts only where there is no DT_RUNPATH. */
  readonly rpath: readonly string[]
  /** Where constants lie in the file; undefined where the section table was stripped. */
  readonly constants: Span | undefined
}

/** Bytes of a file. */
export interface Span {
  readonly offset: number
  readonly size: number
}

interface Segment extends Span {
  readonly type: number
  readonly address: number
}

const HEADER_BYTES = 64
const SEGMENT_BYTES = 56
const SECTION_BYTES = 64
const DYNAMIC_BYTES = 16
/** The constants of the CUDA provider have 27 MB: what claims more than this is damaged. */
const SPAN_LIMIT_BYTES = 64 * 1_048_576
const LOAD_SEGMENT = 1
const DYNAMIC_SEGMENT = 2
const TAG = { end: 0, needed: 1, stringTable: 5, stringSize: 10, soname: 14, rpath: 15, runpath: 29 }
const MACHINE_X86_64 = 62

/** Throws an `Error` that says what is wrong with a file that is no complete shared library for x86-64 Linux. */
export function readElf(path: string): ElfFile {
  const file = openSync(path, 'r')
  try {
    const header = readAt(file, 0, HEADER_BYTES, path)
    expectElf(header, path)
    const segments = readSegments(file, header, path)
    return { ...readDynamic(file, segments, path), constants: findConstants(file, header, path) }
  } finally {
    closeSync(file)
  }
}

/** Throws an `Error` where the file ends before them, or where they are more than any library has. */
export function readSpan(path: string, { offset, size }: Span): Buffer {
  const file = openSync(path, 'r')
  try {
    return readAt(file, offset, size, path)
  } finally {
    closeSync(file)
  }
}

function expectElf(header: Buffer, path: string): void {
  if (header.toString('latin1', 0, 4) !== '\x7fELF') throw new Error(`${path} is no ELF file`)
  // 64 bits, least significant byte first
  const isFitting = header[4] === 2 && header[5] === 1 && header.readUInt16LE(18) === MACHINE_X86_64
  if (!isFitting) throw new Error(`${path} is not made for x86-64`)
}

function readSegments(file: number, header: Buffer, path: string): Segment[] {
  const count = header.readUInt16LE(56)
  const table = readAt(file, readNumber(header, 32), count * SEGMENT_BYTES, path)
  return Array.from({ length: count }, (_, index) => {
    const row = table.subarray(index * SEGMENT_BYTES)
    return {
      type: row.readUInt32LE(0),
      offset: readNumber(row, 8),
      address: readNumber(row, 16),
      size: readNumber(row, 32),
    }
  })
}

function readDynamic(file: number, segments: readonly Segment[], path: string): Omit<ElfFile, 'constants'> {
  const dynamic = segments.find(({ type }) => type === DYNAMIC_SEGMENT)
  if (dynamic === undefined) throw new Error(`${path} is no shared library`)
  const table = readAt(file, dynamic.offset, dynamic.size, path)
  const values = new Map<number, number[]>()
  for (let at = 0; at + DYNAMIC_BYTES <= table.length; at += DYNAMIC_BYTES) {
    const tag = readNumber(table, at)
    if (tag === TAG.end) break
    values.set(tag, [...(values.get(tag) ?? []), readNumber(table, at + 8)])
  }
  const size = values.get(TAG.stringSize)?.[0] ?? 0
  const address = values.get(TAG.stringTable)?.[0] ?? 0
  const strings = readAt(file, offsetOf(address, segments, path), size, path)
  const texts = (tag: number) => (values.get(tag) ?? []).map((at) => textAt(strings, at))
  const folders = (tag: number) => texts(tag).flatMap((text) => text.split(':').filter((one) => one !== ''))
  return {
    soname: texts(TAG.soname)[0],
    needed: texts(TAG.needed),
    runpath: folders(TAG.runpath),
    rpath: folders(TAG.rpath),
  }
}

/** The dynamic section names addresses in memory; the loaded segments say where in the file these are. */
function offsetOf(address: number, segments: readonly Segment[], path: string): number {
  const segment = segments.find(
    ({ type, address: start, size }) => type === LOAD_SEGMENT && address >= start && address < start + size,
  )
  if (segment === undefined) throw new Error(`${path} has no string table`)
  return segment.offset + address - segment.address
}

function findConstants(file: number, header: Buffer, path: string): ElfFile['constants'] {
  const start = readNumber(header, 40)
  const count = header.readUInt16LE(60)
  if (start === 0 || count === 0) return undefined
  const table = readAt(file, start, count * SECTION_BYTES, path)
  const sections = Array.from({ length: count }, (_, index) => {
    const row = table.subarray(index * SECTION_BYTES)
    return { name: row.readUInt32LE(0), offset: readNumber(row, 24), size: readNumber(row, 32) }
  })
  const namesSection = sections[header.readUInt16LE(62)]
  if (namesSection === undefined) return undefined
  const names = readAt(file, namesSection.offset, namesSection.size, path)
  return sections.find(({ name }) => textAt(names, name) === '.rodata')
}

function readNumber(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64LE(at))
}

function textAt(strings: Buffer, at: number): string {
  const end = strings.indexOf(0, at)
  return strings.toString('latin1', at, end < 0 ? strings.length : end)
}

function readAt(file: number, position: number, length: number, path: string): Buffer {
  const isPlausible = length <= SPAN_LIMIT_BYTES && Number.isSafeInteger(position)
  const bytes = Buffer.alloc(isPlausible ? length : 0)
  const read = isPlausible ? readSync(file, bytes, 0, length, position) : -1
  if (read !== length) throw new Error(`${path} is cut short or damaged`)
  return bytes
}
