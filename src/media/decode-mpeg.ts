import type { MPEGDecodedAudio } from 'mpg123-decoder'
import { MPEGDecoder } from 'mpg123-decoder'
import type { SoundCollector } from './collect-sound.ts'
import { invalidSound } from './collect-sound.ts'
import { readMpegHeader } from './mpeg-header.ts'

/** Bytes of whole frames that are decoded at once: a few seconds of sound. */
const RUN_BYTES = 16_384

/**
 * MPEG audio, layers I to III. The decoder sees whole frames only: what lies between them, as titles and pictures do, is
 * left out, and so is a frame that the end of the file cuts. Throws `invalid_request` where there is no frame, or a damaged one.
 */
export async function decodeMpeg(bytes: Uint8Array, sound: SoundCollector): Promise<void> {
  const decoder = new MPEGDecoder()
  await decoder.ready
  try {
    for (const run of frameRuns(bytes)) {
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

/** Pieces of whole frames, one after the other. */
function* frameRuns(bytes: Uint8Array): Generator<Uint8Array> {
  let start = 0
  let end = 0
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
      if (end > start) yield bytes.subarray(start, end)
      start = at
    }
    at = end = next
  }
  if (end > start) yield bytes.subarray(start, end)
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
