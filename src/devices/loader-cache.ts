/** `/etc/ld.so.cache`, which the dynamic loader asks instead of its folders: what `ldconfig` has not seen is not found. */
import { readFileSync } from 'node:fs'

const MAGIC = 'glibc-ld.so.cache1.1'
const HEADER_BYTES = 48
const ENTRY_BYTES = 24
/** An ELF library for glibc on x86-64. */
const X86_64_LIBRARY = 0x0303

/** Name → the paths that the cache has for it; empty where there is no cache. */
export function readLoaderCache(path: string): ReadonlyMap<string, readonly string[]> {
  try {
    return parseLoaderCache(readFileSync(path))
  } catch {
    return new Map()
  }
}

/** Throws a `RangeError` where the file is cut short. */
export function parseLoaderCache(bytes: Buffer): ReadonlyMap<string, readonly string[]> {
  const paths = new Map<string, readonly string[]>()
  // before glibc 2.32 an older table came first; offsets count from where the newer one begins
  const start = bytes.indexOf(MAGIC, 0, 'latin1')
  if (start < 0) return paths
  const cache = bytes.subarray(start)
  const count = cache.readUInt32LE(MAGIC.length)
  for (let index = 0; index < count; index++) {
    const at = HEADER_BYTES + index * ENTRY_BYTES
    if (cache.readInt32LE(at) !== X86_64_LIBRARY) continue
    const name = textAt(cache, cache.readUInt32LE(at + 4))
    const path = textAt(cache, cache.readUInt32LE(at + 8))
    paths.set(name, [...(paths.get(name) ?? []), path])
  }
  return paths
}

function textAt(bytes: Buffer, at: number): string {
  const end = bytes.indexOf(0, at)
  return bytes.toString('utf8', at, end < 0 ? bytes.length : end)
}
