export interface CacheEntry {
  readonly name: string
  readonly path: string
  /** 0x0303 is a library for x86-64. */
  readonly flags?: number
}

/** As `ldconfig` writes it; `older` puts the table before it that glibc had until 2.32. */
export function writeLoaderCache(entries: readonly CacheEntry[], { older = false } = {}): Buffer {
  const header = Buffer.alloc(48)
  header.write('glibc-ld.so.cache1.1', 'latin1')
  header.writeUInt32LE(entries.length, 20)
  let at = header.length + entries.length * 24
  const strings: Buffer[] = []
  const add = (text: string) => {
    const bytes = Buffer.from(`${text}\0`)
    strings.push(bytes)
    at += bytes.length
    return at - bytes.length
  }
  const rows = entries.map(({ name, path, flags = 0x0303 }) => {
    const row = Buffer.alloc(24)
    row.writeInt32LE(flags, 0)
    row.writeUInt32LE(add(name), 4)
    row.writeUInt32LE(add(path), 8)
    return row
  })
  const before = older
    ? Buffer.concat([Buffer.from('ld.so-1.7.0\0', 'latin1'), Buffer.alloc(28)])
    : Buffer.alloc(0)
  return Buffer.concat([before, header, ...rows, ...strings])
}
