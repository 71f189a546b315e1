/** What a file is, by its first bytes: what its sender says of it counts for nothing. */
import { invalidSound } from './collect-sound.ts'

export type SoundFormat = 'WAV' | 'FLAC' | 'MP3'

/** The longest beginning that is looked at. */
const HEAD_BYTES = 64

interface Signature<Name extends string = string> {
  readonly name: Name
  /** In Latin-1. */
  readonly pattern: RegExp
}

const READABLE: readonly Signature<SoundFormat>[] = [
  { name: 'WAV', pattern: /^(?:RIFF|RF64|BW64)[^]{4}WAVE/ },
  { name: 'FLAC', pattern: /^fLaC/ },
  // A layer of 0 would be AAC.
  { name: 'MP3', pattern: /^\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff]/ },
]

const OTHERS: readonly Signature[] = [
  { name: 'Ogg Opus', pattern: /^OggS[^]{24}OpusHead/ },
  { name: 'Ogg Vorbis', pattern: /^OggS[^]{25}vorbis/ },
  { name: 'Ogg FLAC', pattern: /^OggS[^]{25}FLAC/ },
  { name: 'Ogg', pattern: /^OggS/ },
  { name: 'AAC', pattern: /^(?:\xff[\xf0\xf1\xf8\xf9]|ADIF)/ },
  { name: 'MP4', pattern: /^[^]{4}ftyp/ },
  { name: 'WebM or Matroska', pattern: /^[^]E\xdf\xa3/ },
  { name: 'AIFF', pattern: /^FORM[^]{4}AIF[FC]/ },
  { name: 'AU', pattern: /^\.snd/ },
  { name: 'CAF', pattern: /^caff/ },
  { name: 'AMR', pattern: /^#!AMR/ },
  { name: 'WMA', pattern: /^0&\xb2u\x8ef\xcf/ },
  { name: 'WavPack', pattern: /^wvpk/ },
  { name: "Monkey's Audio", pattern: /^MAC / },
  { name: 'DSF', pattern: /^DSD / },
  { name: 'MIDI', pattern: /^MThd/ },
  { name: 'WAV with the upper byte first', pattern: /^RIFX/ },
  { name: 'AVI', pattern: /^RIFF[^]{4}AVI / },
  { name: 'PNG', pattern: /^\x89PNG/ },
  { name: 'JPEG', pattern: /^\xff\xd8\xff/ },
  { name: 'HTML', pattern: /^\s*<(?:!doctype html|html|head|body)\b/i },
]

/** The format, and where in the file it starts: a title may stand before it. Throws `invalid_request` for all others. */
export function findSoundFormat(bytes: Uint8Array): { format: SoundFormat; start: number } {
  const start = titleBytes(bytes)
  const head = Buffer.from(bytes.subarray(start, start + HEAD_BYTES)).toString('latin1')
  const format = READABLE.find(({ pattern }) => pattern.test(head))?.name
  if (format !== undefined) return { format, start }
  const other = OTHERS.find(({ pattern }) => pattern.test(head))?.name
  // Behind a title MP3 need not start at once.
  if (start > 0 && other === undefined && start < bytes.length) return { format: 'MP3', start }
  const found = bytes.length === 0 ? 'empty' : (other ?? 'of no known format')
  throw invalidSound(`is ${found}; it may be ${READABLE.map(({ name }) => name).join(', ')}`)
}

/** Of the ID3v2 tags that stand in front: of each ten bytes and what its size says, which has seven bits in a byte. */
function titleBytes(bytes: Uint8Array): number {
  let at = 0
  while (bytes[at] === 0x49 && bytes[at + 1] === 0x44 && bytes[at + 2] === 0x33 && at + 10 <= bytes.length) {
    const size = bytes.subarray(at + 6, at + 10).reduce((sum, byte) => sum * 128 + (byte & 0x7f), 0)
    const hasFooter = ((bytes[at + 5] ?? 0) & 0x10) !== 0
    at += 10 + size + (hasFooter ? 10 : 0)
  }
  return Math.min(at, bytes.length)
}
