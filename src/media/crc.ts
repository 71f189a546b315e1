/** Check sums of FLAC (RFC 9639): of a frame's header and of a whole frame, with the sum itself in it 0. */
const TABLE_8 = crcTable(8, 0x07)
const TABLE_16 = crcTable(16, 0x80_05)

export function crc8(bytes: Uint8Array): number {
  let sum = 0
  for (const byte of bytes) sum = TABLE_8[sum ^ byte] as number
  return sum
}

export function crc16(bytes: Uint8Array): number {
  let sum = 0
  for (const byte of bytes) sum = ((sum << 8) & 0xff_ff) ^ (TABLE_16[(sum >>> 8) ^ byte] as number)
  return sum
}

function crcTable(bits: 8 | 16, polynomial: number): Uint16Array {
  const top = 1 << (bits - 1)
  const mask = 2 ** bits - 1
  return Uint16Array.from({ length: 256 }, (_, byte) => {
    let sum = byte << (bits - 8)
    for (let bit = 0; bit < 8; bit += 1) sum = (sum & top) === 0 ? sum << 1 : (sum << 1) ^ polynomial
    return sum & mask
  })
}
