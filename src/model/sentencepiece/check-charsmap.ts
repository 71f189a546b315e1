/**
 * Compiled rules of normalization: the length of a double-array trie, its units, and the texts that its leaves point into, each
 * ended by a zero. The library that follows them trusts them, and ends the process where they lead out of bounds; so they are
 * all followed here once.
 */

const UNIT_BYTES = 4
const HAS_LEAF = 1 << 8
/** A unit stands for the byte that its lowest eight bits name, unless its highest bit says that it is a value. */
const LABEL = 0x8000_00ff

/** `fail`: what is thrown, told what is wrong. */
export function checkCharsmap(charsmap: Buffer, fail: (what: string) => Error): void {
  const trieBytes = charsmap.length < UNIT_BYTES ? -1 : charsmap.readUInt32LE()
  if (trieBytes < UNIT_BYTES || trieBytes % UNIT_BYTES !== 0 || trieBytes > charsmap.length - UNIT_BYTES)
    throw fail(`has rules of normalization of ${charsmap.length} bytes, and a trie of ${trieBytes} in them`)
  const units = Uint32Array.from({ length: trieBytes / UNIT_BYTES }, (_, i) =>
    charsmap.readUInt32LE(UNIT_BYTES * (i + 1)),
  )
  const starts = textStarts(charsmap.subarray(UNIT_BYTES + trieBytes))
  if (starts === undefined) throw fail('has rules of normalization whose texts are not UTF-8')
  const broken = findBreach(units, starts)
  if (broken !== undefined) throw fail(`has rules of normalization that lead ${broken}`)
}

/** Which byte of the texts begins a character, or is the end; undefined: they are no UTF-8. */
function textStarts(texts: Buffer): readonly boolean[] | undefined {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(texts)
  } catch {
    return undefined
  }
  return [...Array.from(texts, (byte) => (byte & 0xc0) !== 0x80), true]
}

/** Follows every path from the root. Each place is followed once, so that a circle ends. */
function findBreach(units: Uint32Array, starts: readonly boolean[]): string | undefined {
  const root = offsetOf(units[0] as number)
  const seen = new Set([root])
  for (const place of seen) {
    for (let byte = 1; byte < 256; byte++) {
      const at = (place ^ byte) >>> 0
      const unit = units[at]
      if (unit === undefined) return `to unit ${at} of ${units.length}`
      if ((unit & LABEL) >>> 0 !== byte) continue
      const next = (at ^ offsetOf(unit)) >>> 0
      seen.add(next)
      if ((unit & HAS_LEAF) === 0) continue
      const leaf = units[next]
      if (leaf === undefined) return `to unit ${next} of ${units.length}`
      const text = leaf & 0x7fff_ffff
      if (starts[text] !== true) return `to byte ${text} of texts of ${starts.length - 1}`
    }
  }
  return undefined
}

/** Where the units of the next byte lie, to be combined with the place of this one. */
function offsetOf(unit: number): number {
  return ((unit >>> 10) << ((unit & (1 << 9)) >>> 6)) >>> 0
}
