import type { MPEGDecodedAudio } from 'mpg123-decoder'
import { MPEGDecoder } from 'mpg123-decoder'
import type { SoundCollector } from './collect-sound.ts'
import { invalidSound } from './collect-sound.ts'
import { readFrameCount, readMpegHeader } from './mpeg-header.ts'

/** Bytes of whole frames that are decoded at once: a few seconds of sound. */
const RUN_BYTES = 16_384

/**
 * MPEG audio, layers I to III. The decoder sees whole frames only: what lies between them, as titles and pictures do, is
 * left out, and so is a frame that the end of the file cuts. Throws `invalid_request` where there is no frame or a damaged one,
 * and where the first tells of more than there are.
 */
export async function decodeMpeg(bytes: Uint8Array, sound: SoundCollector): Promise<void> {
  const runs = wholeFrames(bytes)
  const decoder = new MPEGDecoder()
  await decoder.ready
  try {
    for (const run of runs) {
      const { channelData, samplesDecoded, sampleRate, errors } = decodeQuietly(decoder, run)
      const [error] = errors
      if (error !== undefined) throw invalidSound(`is damaged MPEG audio: ${error.message}`)
      if (samplesDecoded === 0) continue
      sound.start(sampleRate)
      sound.add(channelData)
    }
  } finally {
    decoder.free()
  }
}

/** The decoder writes to the console what it thinks of a frame; `decode` does not wait, so that nobody else's words are lost. */
function decodeQuietly(decoder: MPEGDecoder, run: Uint8Array): MPEGDecodedAudio {
  const { error } = console
  console.error = () => {}
  try {
    return decoder.decode(run)
  } finally {
    console.error = error
  }
}

/** In pieces that are decoded at once. Throws where there is no frame, or fewer than the first one says. */
function wholeFrames(bytes: Uint8Array): readonly Uint8Array[] {
  const { runs, count, isCut } = findFrames(bytes)
  const [first] = runs
  if (first === undefined) throw invalidSound('is damaged MPEG audio: there is no whole frame in it')
  const said = readFrameCount(first)
  // Some encoders count the frame that says it as one of them: as many as it says are all, unless a cut one follows.
  if (said === undefined || count > said || (count === said && !isCut)) return runs
  throw invalidSound(`is MPEG audio that ends after ${count - 1} of ${said} frames, or is damaged there`)
}

interface Frames {
  /** Whole ones, one after the other. */
  readonly runs: readonly Uint8Array[]
  readonly count: number
  /** Whether the end of the file cuts one behind them. */
  readonly isCut: boolean
}

function findFrames(bytes: Uint8Array): Frames {
  const runs: Uint8Array[] = []
  let [start, end, count] = [0, 0, 0]
  let kind: number | undefined
  for (let at = 0; at + 4 <= bytes.length;) {
    const header = readMpegHeader(bytes, at)
    const next = at + (header?.byteCount ?? 0)
    if (header === undefined || next > bytes.length || !isFrame(bytes, { at, next, kind })) {
      at += 1
      continue
    }
    kind ??= header.kind
    if (at !== end || end - start >= RUN_BYTES) {
      if (end > start) runs.push(bytes.subarray(start, end))
      start = at
    }
    at = end = next
    count += 1
  }
  if (end > start) runs.push(bytes.subarray(start, end))
  return { runs, count, isCut: readMpegHeader(bytes, end)?.kind === kind }
}

/** Two bytes that look like a header are common: another one must follow, of the same kind, or nothing. */
function isFrame(
  bytes: Uint8Array,
  { at, next, kind }: { at: number; next: number; kind: number | undefined },
): boolean {
  const found = readMpegHeader(bytes, at)
  if (kind !== undefined && found?.kind !== kind) return false
  if (kind !== undefined || next === bytes.length) return true
  return readMpegHeader(bytes, next)?.kind === found?.kind
}
