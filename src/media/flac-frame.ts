import { BitReader } from './bit-reader.ts'
import { crc16, crc8 } from './crc.ts'
import { damaged, readSubframe } from './flac-subframe.ts'

/** What a FLAC file says of itself before its frames. */
export interface FlacFormat {
  readonly rate: number
  readonly bits: number
}

export interface FlacFrame {
  readonly rate: number
  /** Numbers from −1 to 1. */
  readonly channels: readonly Float32Array[]
  readonly byteCount: number
}

/** Codes of the frame header that stand for a number; 0 stands for what the file says of itself. */
const RATES = [0, 88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000]
const BITS = [0, 8, 12, undefined, 16, 20, 24, 32]

const LEFT_SIDE = 8
const SIDE_RIGHT = 9
const MID_SIDE = 10

interface FrameHeader {
  readonly length: number
  readonly rate: number
  readonly bits: number
  /** 0 to 7: channels less one; 8 to 10: two, of which one is a difference. */
  readonly assignment: number
}

/** The frame at the start of `bytes` (RFC 9639, 9). Throws `invalid_request` where none is, or its check sums are wrong. */
export function readFlacFrame(bytes: Uint8Array, format: FlacFormat): FlacFrame {
  const reader = new BitReader(bytes)
  const { length, rate, bits, assignment } = readHeader(reader, bytes, format)
  const channelCount = assignment < LEFT_SIDE ? assignment + 1 : 2
  const samples = Array.from({ length: channelCount }, (_, channel) => {
    // A difference needs one bit more.
    const isSide = assignment === SIDE_RIGHT ? channel === 0 : assignment >= LEFT_SIDE && channel === 1
    return readSubframe(reader, length, isSide ? bits + 1 : bits)
  })
  reader.skipToByte()
  reader.read(16)
  if (crc16(bytes.subarray(0, reader.byteCount)) !== 0) throw damaged()
  joinSides(samples, assignment)
  return { rate, channels: samples.map((channel) => scale(channel, bits)), byteCount: reader.byteCount }
}

function readHeader(reader: BitReader, bytes: Uint8Array, format: FlacFormat): FrameHeader {
  if (reader.read(15) !== 0b111_1111_1111_1100) throw damaged()
  reader.read(1)
  const lengthCode = reader.read(4)
  const rateCode = reader.read(4)
  const assignment = reader.read(4)
  const bitsCode = reader.read(3)
  reader.read(1)
  skipNumber(reader)
  const length = readLength(reader, lengthCode)
  const rate = readRate(reader, rateCode) || format.rate
  const bits = BITS[bitsCode]
  reader.read(8)
  if (bits === undefined || assignment > MID_SIDE || crc8(bytes.subarray(0, reader.byteCount)) !== 0)
    throw damaged()
  return { length, rate, bits: bits || format.bits, assignment }
}

/** The frame's number, as UTF-8 writes a character: as many bytes as its first has ones in front. */
function skipNumber(reader: BitReader): void {
  const ones = Math.clz32(~(reader.read(8) << 24))
  for (let left = ones - 1; left > 0; left -= 1) reader.read(8)
}

function readLength(reader: BitReader, code: number): number {
  if (code === 0) throw damaged()
  if (code === 1) return 192
  if (code <= 5) return 144 << code
  if (code === 6) return reader.read(8) + 1
  if (code === 7) return reader.read(16) + 1
  return 1 << code
}

function readRate(reader: BitReader, code: number): number {
  if (code === 12) return reader.read(8) * 1_000
  if (code === 13) return reader.read(16)
  if (code === 14) return reader.read(16) * 10
  const rate = RATES[code]
  if (rate === undefined) throw damaged()
  return rate
}

/** Turns a difference of two channels, and what it is the difference to, into both. */
function joinSides([one, other]: readonly Float64Array[], assignment: number): void {
  if (assignment < LEFT_SIDE || one === undefined || other === undefined) return
  for (let index = 0; index < one.length; index += 1) {
    const [first, second] = [one[index] as number, other[index] as number]
    if (assignment === LEFT_SIDE) other[index] = first - second
    else if (assignment === SIDE_RIGHT) one[index] = first + second
    else {
      // The lowest bit of the sum was cut off; it is that of the difference.
      const sum = 2 * first + Math.abs(second % 2)
      one[index] = (sum + second) / 2
      other[index] = (sum - second) / 2
    }
  }
}

function scale(samples: Float64Array, bits: number): Float32Array {
  const fullScale = 2 ** (bits - 1)
  const scaled = new Float32Array(samples.length)
  for (let index = 0; index < samples.length; index += 1)
    scaled[index] = (samples[index] as number) / fullScale
  return scaled
}
