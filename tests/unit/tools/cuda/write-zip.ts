import { crc32, deflateRawSync } from 'node:zlib'

export interface ZipFile {
  readonly name: string
  readonly content: Buffer | string
  /** Stored as it is, not deflated. */
  readonly stored?: boolean
  readonly method?: number
  /** Checksum that the archive states, where it is to be wrong. */
  readonly crc?: number
}

/** A zip archive; local headers carry extra fields that the directory lacks, as those of wheels do. */
export function writeZip(files: readonly ZipFile[], comment = ''): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const { name, content, stored = false, method = stored ? 0 : 8, crc } of files) {
    const bytes = Buffer.from(content)
    const packed = stored ? bytes : deflateRawSync(bytes)
    const title = Buffer.from(name)
    const extra = Buffer.alloc(7)
    const sizes = [crc ?? crc32(bytes), packed.length, bytes.length]
    const local = Buffer.alloc(30)
    local.writeUInt32LE(0x04034b50, 0)
    local.writeUInt16LE(method, 8)
    for (const [index, size] of sizes.entries()) local.writeUInt32LE(size, 14 + index * 4)
    local.writeUInt16LE(title.length, 26)
    local.writeUInt16LE(extra.length, 28)
    const row = Buffer.alloc(46)
    row.writeUInt32LE(0x02014b50, 0)
    row.writeUInt16LE(method, 10)
    for (const [index, size] of sizes.entries()) row.writeUInt32LE(size, 16 + index * 4)
    row.writeUInt16LE(title.length, 28)
    row.writeUInt32LE(offset, 42)
    directory.push(row, title)
    parts.push(local, title, extra, packed)
    offset += local.length + title.length + extra.length + packed.length
  }
  const list = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(files.length, 8)
  end.writeUInt16LE(files.length, 10)
  end.writeUInt32LE(list.length, 12)
  end.writeUInt32LE(offset, 16)
  end.writeUInt16LE(comment.length, 20)
  return Buffer.concat([...parts, list, end, Buffer.from(comment)])
}
