/** Small ELF files, with the headers of a shared library and nothing to run. */
export interface ElfParts {
  readonly soname?: string
  readonly needed?: readonly string[]
  readonly runpath?: string
  readonly rpath?: string
  /** What stands in `.rodata`; without it there is no section table, as in a stripped file. */
  readonly constants?: string
  /** 62 is x86-64, 183 is Arm's. */
  readonly machine?: number
}

const HEADER = 64
const SEGMENT = 56
/** Addresses in memory differ from offsets in the file. */
const SHIFT = 0x4000
/** Rows behind the last one are no part of the list. */
const PADDING = [1, 1]
const SECTION_NAMES = '\0.rodata\0.shstrtab\0'

export function writeElf(parts: ElfParts = {}): Buffer {
  const { soname, needed = [], runpath, rpath, constants, machine = 62 } = parts
  const entries: (readonly [number, string])[] = needed.map((name) => [1, name])
  if (soname !== undefined) entries.push([14, soname])
  if (rpath !== undefined) entries.push([15, rpath])
  if (runpath !== undefined) entries.push([29, runpath])
  const strings = Buffer.from(`\0${entries.map(([, text]) => `${text}\0`).join('')}`, 'latin1')
  const stringsAt = HEADER + 2 * SEGMENT
  let at = 1
  const rows = entries.map(([tag, text]) => {
    const row = [tag, at] as const
    at += text.length + 1
    return row
  })
  const dynamic = numbers([...rows, [5, stringsAt + SHIFT], [10, strings.length], [0, 0], PADDING].flat())
  const dynamicAt = stringsAt + strings.length
  const rodata = Buffer.from(constants ?? '', 'latin1')
  const rodataAt = dynamicAt + dynamic.length
  const names = Buffer.from(SECTION_NAMES, 'latin1')
  const namesAt = rodataAt + rodata.length
  const sectionsAt = namesAt + names.length
  const size = sectionsAt
  const segments = Buffer.concat([segment(1, 0, size), segment(2, dynamicAt, dynamic.length)])
  const sections =
    constants === undefined
      ? Buffer.alloc(0)
      : Buffer.concat([
          section(0, 0, 0),
          section(1, rodataAt, rodata.length),
          section(9, namesAt, names.length),
        ])
  const header = Buffer.alloc(HEADER)
  header.write('\x7fELF\x02\x01\x01', 'latin1')
  header.writeUInt16LE(3, 16)
  header.writeUInt16LE(machine, 18)
  header.writeBigUInt64LE(BigInt(HEADER), 32)
  header.writeBigUInt64LE(BigInt(constants === undefined ? 0 : sectionsAt), 40)
  header.writeUInt16LE(2, 56)
  header.writeUInt16LE(constants === undefined ? 0 : 3, 60)
  header.writeUInt16LE(constants === undefined ? 0 : 2, 62)
  return Buffer.concat([header, segments, strings, dynamic, rodata, names, sections])
}

function segment(type: number, offset: number, size: number): Buffer {
  const row = Buffer.alloc(SEGMENT)
  row.writeUInt32LE(type, 0)
  row.writeBigUInt64LE(BigInt(offset), 8)
  row.writeBigUInt64LE(BigInt(offset + SHIFT), 16)
  row.writeBigUInt64LE(BigInt(size), 32)
  return row
}

function section(name: number, offset: number, size: number): Buffer {
  const row = Buffer.alloc(64)
  row.writeUInt32LE(name, 0)
  row.writeBigUInt64LE(BigInt(offset), 24)
  row.writeBigUInt64LE(BigInt(size), 32)
  return row
}

function numbers(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 8)
  for (const [index, value] of values.entries()) bytes.writeBigUInt64LE(BigInt(value), index * 8)
  return bytes
}
