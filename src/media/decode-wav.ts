import type { SoundCollector } from './collect-sound.ts'
import { invalidSound } from './collect-sound.ts'

/** Samples of a channel that are read at a time. */
const BLOCK_LENGTH = 16_384

/** Sizes of a writer into a pipe, which could not go back: the greatest number, or one near that of the signed (SoX, arecord). */
const LEAST_UNKNOWN_SIZE = 0x7f_ff_f0_00

const GREATEST = 0xff_ff_ff_ff

const EXTENSIBLE = 0xff_fe
const INTEGER = 1
const FLOAT = 3

/** Encodings that are named where they are refused: the tags of Microsoft's mmreg.h. */
const ENCODINGS: Readonly<Record<number, string>> = {
  0x02: 'Microsoft ADPCM',
  0x06: 'A-law',
  0x07: 'mu-law',
  0x11: 'IMA ADPCM',
  0x31: 'GSM 6.10',
  0x50: 'MPEG',
  0x55: 'MP3',
}

interface WavFormat {
  readonly channels: number
  readonly rate: number
  /** Bytes of one sample. */
  readonly width: number
  readonly isFloat: boolean
}

/**
 * RIFF, RF64 and BW64 files of integers of 1 to 4 bytes and floats of 4 and 8. A writer that could not go back left 0 or a
 * great number as the size of its data, which then reach to the end. Throws `invalid_request` where the file is no such thing,
 * or has fewer bytes of data than it says.
 */
export function decodeWav(bytes: Uint8Array, sound: SoundCollector): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const { format, start, size } = findData(view)
  const frameBytes = format.channels * format.width
  const frames = Math.floor(size / frameBytes)
  sound.start(format.rate, frames)
  for (let frame = 0; frame < frames; frame += BLOCK_LENGTH) {
    const count = Math.min(BLOCK_LENGTH, frames - frame)
    sound.add(readBlock(view, { format, start: start + frame * frameBytes, count }))
  }
}

interface WavData {
  readonly format: WavFormat
  readonly start: number
  readonly size: number
}

function findData(view: DataView): WavData {
  let format: WavFormat | undefined
  let longSize = 0
  for (let at = 12; at + 8 <= view.byteLength;) {
    const id = textAt(view, at)
    const size = view.getUint32(at + 4, true)
    const start = at + 8
    const left = view.byteLength - start
    // Of RF64 and BW64: sizes of 64 bits, that of the data behind that of the file.
    if (id === 'ds64' && Math.min(size, left) >= 16) longSize = Number(view.getBigUint64(start + 8, true))
    if (id === 'fmt ') format = readFormat(view, start, Math.min(size, left))
    if (id === 'data') {
      if (format === undefined)
        throw invalidSound('is a WAV file whose format does not stand before its data')
      return { format, start, size: sizeOfData(size === GREATEST ? longSize || size : size, left) }
    }
    // A chunk of an odd size has a byte behind it that its size does not count.
    at = start + size + (size % 2)
  }
  throw invalidSound(`is a WAV file without ${format === undefined ? 'a format' : 'data'}`)
}

function sizeOfData(said: number, left: number): number {
  if (said === 0 || (said > left && said >= LEAST_UNKNOWN_SIZE)) return left
  if (said <= left) return said
  throw invalidSound(`is a damaged WAV file: its header says ${said} bytes of data, and there are ${left}`)
}

function readFormat(view: DataView, start: number, size: number): WavFormat {
  if (size < 16) throw invalidSound(`is a WAV file with ${size} bytes of format; there are at least 16`)
  const tag = view.getUint16(start, true)
  const channels = view.getUint16(start + 2, true)
  const rate = view.getUint32(start + 4, true)
  const frameBytes = view.getUint16(start + 12, true)
  const bits = view.getUint16(start + 14, true)
  // The first two bytes of the extensible format's identifier are the tag of the plain one.
  const encoding = tag === EXTENSIBLE && size >= 26 ? view.getUint16(start + 24, true) : tag
  if (channels === 0) throw invalidSound('is a WAV file without channels')
  const width = Math.ceil(bits / 8)
  const isFloat = encoding === FLOAT
  const widths = isFloat ? [4, 8] : encoding === INTEGER ? [1, 2, 3, 4] : []
  if (!widths.includes(width) || (isFloat && bits % 32 !== 0)) throw unreadable(encoding, bits)
  if (frameBytes !== channels * width)
    throw invalidSound(
      `is a WAV file whose header contradicts itself: its block align is ${frameBytes} bytes, and must be ${channels * width} with channels ${channels} and bits ${bits}`,
    )
  return { channels, rate, width, isFloat }
}

function unreadable(encoding: number, bits: number): Error {
  const kind = encoding === INTEGER ? 'integers' : encoding === FLOAT ? 'floats' : undefined
  const name = ENCODINGS[encoding] ?? `encoding 0x${encoding.toString(16).padStart(4, '0')}`
  const what = kind === undefined ? name : `${kind} of ${bits} bits`
  return invalidSound(`is a WAV file of ${what}; read are integers of 8 to 32 bits and floats of 32 and 64`)
}

interface WavBlock {
  readonly format: WavFormat
  readonly start: number
  /** Samples of a channel. */
  readonly count: number
}

function readBlock(view: DataView, { format, start, count }: WavBlock): Float32Array[] {
  const { channels, width } = format
  const read = readerOf(view, format)
  return Array.from({ length: channels }, (_, channel) => {
    const samples = new Float32Array(count)
    let at = start + channel * width
    for (let index = 0; index < count; index += 1, at += channels * width) samples[index] = read(at)
    return samples
  })
}

/** Integers become numbers from −1 to 1; fewer bits than their bytes have stand at the upper end of these. */
function readerOf(view: DataView, { width, isFloat }: WavFormat): (at: number) => number {
  if (isFloat) return width === 4 ? (at) => view.getFloat32(at, true) : (at) => view.getFloat64(at, true)
  switch (width) {
    case 1:
      // Of one byte they are unsigned.
      return (at) => (view.getUint8(at) - 0x80) / 0x80
    case 2:
      return (at) => view.getInt16(at, true) / 0x80_00
    case 3:
      return (at) => (view.getInt8(at + 2) * 0x1_00_00 + view.getUint16(at, true)) / 0x80_00_00
    default:
      return (at) => view.getInt32(at, true) / 0x80_00_00_00
  }
}

function textAt(view: DataView, at: number): string {
  return String.fromCharCode(...Array.from({ length: 4 }, (_, index) => view.getUint8(at + index)))
}
