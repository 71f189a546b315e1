import type { AudioProcessing } from '../model/spec.ts'
import { countUsedSamples, extractFeatures } from './clap-features.ts'
import { SoundCollector } from './collect-sound.ts'
import { digestMedia } from './digest-media.ts'
import type { MediaLimits, PreparedMedia } from './protocol.ts'
import { findSoundFormat } from './sound-format.ts'

/** Throws `invalid_request` saying what is wrong with the file, and what is allowed. */
export async function prepareAudio(
  bytes: Uint8Array,
  processing: AudioProcessing,
  { maxSeconds }: Pick<MediaLimits, 'maxSeconds'>,
): Promise<PreparedMedia> {
  const { samplingRate, featureSize } = processing
  const sound = new SoundCollector({ samplingRate, maxSeconds, usedSamples: countUsedSamples(processing) })
  await decodeSound(bytes, sound)
  const { samples, seconds } = sound.finish()
  const { values, lines } = extractFeatures(samples, processing)
  const digest = digestMedia([lines, featureSize], values)
  return { values, tokens: lines, units: Math.ceil(seconds), digest }
}

/** Each decoder is loaded when a file first asks for it. */
async function decodeSound(bytes: Uint8Array, sound: SoundCollector): Promise<void> {
  const { format, start } = findSoundFormat(bytes)
  const encoded = bytes.subarray(start)
  switch (format) {
    case 'WAV':
      return (await import('./decode-wav.ts')).decodeWav(encoded, sound)
    case 'FLAC':
      return (await import('./decode-flac.ts')).decodeFlac(encoded, sound)
    case 'MP3':
      return (await import('./decode-mpeg.ts')).decodeMpeg(encoded, sound)
    default:
      format satisfies never
  }
}
