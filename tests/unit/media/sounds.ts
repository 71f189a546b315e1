/** The sounds of `sounds/generate.py`, and what it says of them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Sound } from '../../../src/media/collect-sound.ts'
import { SoundCollector } from '../../../src/media/collect-sound.ts'
import { decodeFlac } from '../../../src/media/decode-flac.ts'
import { decodeMpeg } from '../../../src/media/decode-mpeg.ts'
import { decodeWav } from '../../../src/media/decode-wav.ts'
import type { AudioProcessing } from '../../../src/model/spec.ts'

const folder = join(import.meta.dirname, 'sounds')

export function readSoundFile(name: string): Uint8Array {
  return new Uint8Array(readFileSync(join(folder, name)))
}

export function readReferences<Case>(name: string): Case[] {
  const { cases } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as { cases: Case[] }
  return cases
}

/** Whole numbers only, so that Python has the same. */
export function makeSound(kind: string, length: number): Float32Array {
  switch (kind) {
    case 'saw':
      return Float32Array.from(
        { length },
        (_, n) => ((Math.floor((n * n * 3) / 1024) % 65_536) - 32_768) / 65_536,
      )
    case 'noise':
      return makeNoise(length, 7)
    case 'one':
      return new Float32Array(length).fill(0.5)
    default:
      return new Float32Array(length)
  }
}

export function makeNoise(length: number, seed: number): Float32Array {
  let state = seed
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return ((state >>> 16) - 32_768) / 65_536
  })
}

/** At its own rate, all of it. */
export async function decodeAlone(bytes: Uint8Array, rate: number, maxSeconds = 600): Promise<Sound> {
  const sound = new SoundCollector({ samplingRate: rate, maxSeconds, usedSamples: Number.POSITIVE_INFINITY })
  const [first] = bytes
  if (first === 0x52) decodeWav(bytes, sound)
  else if (first === 0x66) decodeFlac(bytes, sound)
  else await decodeMpeg(bytes, sound)
  return sound.finish()
}

export const CLAP: AudioProcessing = {
  samplingRate: 48_000,
  hopLength: 480,
  fftWindowSize: 1_024,
  featureSize: 64,
  frequencyMin: 50,
  frequencyMax: 14_000,
  maxSamples: 480_000,
  truncation: 'rand_trunc',
  padding: 'repeatpad',
}

interface WavOptions {
  readonly tag?: number
  readonly channels?: number
  readonly rate?: number
  readonly bits?: number
  readonly frameBytes?: number
  /** What the header says of the data; as many as there are. */
  readonly size?: number
  /** Chunks between format and data. */
  readonly between?: Uint8Array
  /** Behind the data. */
  readonly after?: Uint8Array
}

/** A WAV file around data. */
export function wrapWav(data: Uint8Array, options: WavOptions = {}): Uint8Array {
  const {
    tag = 1,
    channels = 1,
    rate = 48_000,
    bits = 16,
    between = new Uint8Array(),
    after = new Uint8Array(),
  } = options
  const frameBytes = options.frameBytes ?? channels * Math.ceil(bits / 8)
  const format = Buffer.alloc(24)
  format.write('fmt ')
  format.writeUInt32LE(16, 4)
  format.writeUInt16LE(tag, 8)
  format.writeUInt16LE(channels, 10)
  format.writeUInt32LE(rate, 12)
  format.writeUInt32LE((rate * frameBytes) >>> 0, 16)
  format.writeUInt16LE(frameBytes, 20)
  format.writeUInt16LE(bits, 22)
  const parts = [
    Buffer.from('WAVE'),
    format,
    between,
    chunkHead('data', options.size ?? data.length),
    data,
    after,
  ]
  const body = Buffer.concat(parts)
  return new Uint8Array(Buffer.concat([chunkHead('RIFF', body.length), body]))
}

export function chunkHead(id: string, size: number): Uint8Array {
  const head = Buffer.alloc(8)
  head.write(id)
  head.writeUInt32LE(size, 4)
  return head
}

export function wrapFloats(samples: ArrayLike<number>, options: WavOptions = {}): Uint8Array {
  const data = new Uint8Array(Float32Array.from(samples).buffer)
  return wrapWav(data, { tag: 3, bits: 32, ...options })
}
