/** Thrown where a reader is asked for more than there is. */
export class EndOfBits extends Error {}

/** Bits of each byte from its upper end. */
export class BitReader {
  readonly #bytes: Uint8Array
  readonly #end: number
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#end = bytes.length * 8
  }

  /** Bytes that were read, a begun one with them. */
  get byteCount(): number {
    return (this.#at + 7) >>> 3
  }

  /** Up to 33 bits. */
  read(count: number): number {
    if (count > 32) return this.read(count - 32) * 2 ** 32 + this.read(32)
    if (this.#at + count > this.#end) throw new EndOfBits()
    const value = count === 0 ? 0 : this.#peek() >>> (32 - count)
    this.#at += count
    return value
  }

  /** Two's complement of so many bits, up to 33. */
  readSigned(count: number): number {
    const value = this.read(count)
    return count > 0 && value >= 2 ** (count - 1) ? value - 2 ** count : value
  }

  /** Zeros before the next one, which is read as well. */
  readZeros(): number {
    let zeros = 0
    for (;;) {
      const run = Math.clz32(this.#peek())
      if (this.#at + run >= this.#end) throw new EndOfBits()
      zeros += run
      this.#at += run
      if (run === 32) continue
      this.#at += 1
      return zeros
    }
  }

  skipToByte(): void {
    this.#at = this.byteCount * 8
  }

  /** The next 32 bits; zeros behind the end. */
  #peek(): number {
    const bytes = this.#bytes
    const byte = this.#at >>> 3
    const shift = this.#at & 7
    const word =
      ((bytes[byte] ?? 0) << 24) |
      ((bytes[byte + 1] ?? 0) << 16) |
      ((bytes[byte + 2] ?? 0) << 8) |
      (bytes[byte + 3] ?? 0)
    return shift === 0 ? word >>> 0 : ((word << shift) | ((bytes[byte + 4] ?? 0) >>> (8 - shift))) >>> 0
  }
}
