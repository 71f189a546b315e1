import { EndOfBits } from './bit-reader.ts'
import type { SoundCollector } from './collect-sound.ts'
import { invalidSound } from './collect-sound.ts'
import type { FlacFormat } from './flac-frame.ts'
import { readFlacFrame } from './flac-frame.ts'
import { damaged } from './flac-subframe.ts'

interface StreamInfo extends FlacFormat {
  /** Of a channel; 0 where the writer did not know. */
  readonly samples: number
}

const STREAM_INFO = 0
const STREAM_INFO_BYTES = 34

/** Frame by frame. Throws `invalid_request` where the file is damaged or ends too early. */
export function decodeFlac(bytes: Uint8Array, sound: SoundCollector): void {
  const { info, start } = readMetadata(bytes)
  if (info.samples > 0) sound.start(info.rate, info.samples)
  let samples = 0
  for (let at = start; at < bytes.length && !isEnd(bytes, at, samples, info);) {
    const frame = readFrame(bytes, at, { info, samples })
    sound.start(frame.rate)
    sound.add(frame.channels)
    samples += frame.channels[0]?.length ?? 0
    at += frame.byteCount
  }
  if (samples < info.samples) throw endsEarly(samples, info)
}

/** All samples were read, or only a title stands behind (ID3v1, which starts with `TAG`). */
function isEnd(bytes: Uint8Array, at: number, samples: number, info: StreamInfo): boolean {
  if (info.samples > 0) return samples >= info.samples
  return bytes[at] === 0x54 && bytes[at + 1] === 0x41 && bytes[at + 2] === 0x47
}

function readFrame(bytes: Uint8Array, at: number, { info, samples }: { info: StreamInfo; samples: number }) {
  try {
    return readFlacFrame(bytes.subarray(at), info)
  } catch (error) {
    if (error instanceof EndOfBits) throw endsEarly(samples, info)
    throw error
  }
}

function endsEarly(samples: number, info: StreamInfo): Error {
  const all = info.samples > 0 ? ` of ${info.samples}` : ''
  return invalidSound(`is a FLAC file that ends after ${samples}${all} samples, or is damaged there`)
}

function readMetadata(bytes: Uint8Array): { info: StreamInfo; start: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let info: StreamInfo | undefined
  for (let at = 4; at + 4 <= bytes.length;) {
    const head = view.getUint32(at)
    const size = head & 0xff_ff_ff
    const type = (head >>> 24) & 0x7f
    const start = at + 4
    if (type === STREAM_INFO && size >= STREAM_INFO_BYTES && start + size <= bytes.length)
      info = readStreamInfo(view, start)
    at = start + size
    if (head >>> 31 === 0) continue
    if (info === undefined) break
    return { info, start: at }
  }
  throw damaged()
}

function readStreamInfo(view: DataView, start: number): StreamInfo {
  // Twenty bits of the rate, three of the channels, five of the bits and the upper four of the samples.
  const packed = view.getUint32(start + 10)
  const samples = (packed & 0xf) * 2 ** 32 + view.getUint32(start + 14)
  return { rate: packed >>> 12, bits: ((packed >>> 4) & 0x1f) + 1, samples }
}
