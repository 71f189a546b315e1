import { describe, expect, test, vi } from 'vitest'
import { prepareAudio } from '../../../src/media/prepare-audio.ts'
import { CLAP, decodeAlone, makeNoise, readSoundFile, wrapFloats, wrapWav } from './sounds.ts'

const NO_NUMBERS = new Uint8Array(64)

const bad: readonly (readonly [string, Uint8Array, RegExp])[] = [
  ['nothing', new Uint8Array(), /^the sound is empty; it may be WAV, FLAC, MP3$/],
  ['text', text('hello'), /is of no known format; it may be WAV, FLAC, MP3/],
  ['one byte', Uint8Array.of(0xff), /is of no known format/],
  ['Ogg Opus', text(`OggS${'\0'.repeat(24)}OpusHead`), /is Ogg Opus; it may be/],
  ['Ogg Vorbis', text(`OggS${'\0'.repeat(24)}\u0001vorbis`), /is Ogg Vorbis/],
  ['AAC', Uint8Array.of(0xff, 0xf1, 0x50, 0x80), /is AAC/],
  ['MP4', text('\0\0\0\u0020ftypM4A '), /is MP4/],
  ['AIFF', text('FORM\0\0\0\0AIFF'), /is AIFF/],
  ['WebM', Uint8Array.of(0x1a, 0x45, 0xdf, 0xa3), /is WebM or Matroska/],
  ['a picture', text('\u0089PNG\r\n'), /is PNG/],
  ['a page', text('<!DOCTYPE html><html>'), /is HTML/],
  ['WAV in the other byte order', text('RIFX\0\0\0\0WAVE'), /is WAV with the upper byte first/],
  ['WAV that ends behind its first words', text('RIFF\0\0\0\0WAVE'), /is a WAV file without a format/],
  ['WAV without data', wrapWav(NO_NUMBERS).subarray(0, 36), /is a WAV file without data/],
  ['WAV with empty data', wrapWav(new Uint8Array()), /has no samples/],
  ['WAV without channels', wrapWav(NO_NUMBERS, { channels: 0 }), /without channels/],
  ['WAV of no rate', wrapWav(NO_NUMBERS, { rate: 0 }), /has 0 samples a second; allowed are 1000 to 384000/],
  ['WAV of a great rate', wrapWav(NO_NUMBERS, { rate: 4_000_000_000 }), /has 4000000000 samples a second/],
  ['WAV of no bits', wrapWav(NO_NUMBERS, { bits: 0 }), /integers of 0 bits; read are integers of 8 to 32/],
  ['WAV of 64-bit integers', wrapWav(NO_NUMBERS, { bits: 64 }), /integers of 64 bits/],
  ['WAV of 16-bit floats', wrapWav(NO_NUMBERS, { tag: 3 }), /floats of 16 bits/],
  ['WAV of ADPCM', wrapWav(NO_NUMBERS, { tag: 0x11, bits: 4 }), /is a WAV file of IMA ADPCM/],
  ['WAV of A-law', wrapWav(NO_NUMBERS, { tag: 6, bits: 8 }), /is a WAV file of A-law/],
  ['WAV of unknown encoding', wrapWav(NO_NUMBERS, { tag: 0x1234 }), /of encoding 0x1234/],
  [
    'WAV with other bytes than bits',
    wrapWav(NO_NUMBERS, { frameBytes: 4 }),
    /contradicts itself: its block align is 4 bytes, and must be 2 with channels 1 and bits 16$/,
  ],
  [
    'WAV with NaN',
    wrapFloats([0, NaN]),
    /has NaN as sample 1; samples are finite numbers from -2147483648 to 2147483648, full scale is 1$/,
  ],
  ['WAV with an infinite number', wrapFloats([0, 0, -Infinity]), /has -Infinity as sample 2/],
  ['WAV with NaN in one channel', wrapFloats([0, 0, 1, NaN], { channels: 2 }), /has NaN as sample 1;/],
  ['WAV with a great number', wrapFloats([1e20]), /has 100000002004087730000 as sample 0/],
  ['FLAC that is only its name', text('fLaC'), /is a damaged FLAC file/],
  ['FLAC with a flipped bit', flipped('flac-16-stereo.flac', 20_000), /is a damaged FLAC file/],
  [
    'FLAC that is cut',
    readSoundFile('flac-16-stereo.flac').subarray(0, 20_000),
    /ends after 4096 of 11025 samples/,
  ],
  [
    'FLAC without frames',
    readSoundFile('flac-16-stereo.flac').subarray(0, 86),
    /ends after 0 of 11025 samples/,
  ],
  [
    'MP3 without a whole frame',
    readSoundFile('mp3-stereo.mp3').subarray(0, 40),
    /is damaged MPEG audio: there is no whole frame in it$/,
  ],
  [
    'MP3 of one header',
    Uint8Array.of(0xff, 0xfb, 0x90, 0x00, ...NO_NUMBERS),
    /there is no whole frame in it/,
  ],
  ['a title with nothing behind it', text('ID3\u0004\0\0\0\0\0\0'), /is of no known format/],
]

describe('refused, saying why', () => {
  test.each(bad)('%s', async (_, bytes, message) => {
    await expect(prepareAudio(bytes, CLAP, { maxSeconds: 600 })).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringMatching(message),
    })
  })
})

describe('sound that is longer than is allowed is refused', () => {
  test('before anything of it is decoded, where the file tells', async () => {
    const cut = readSoundFile('flac-silence.flac').subarray(0, 86)
    await expect(decodeAlone(cut, 48_000, 11)).rejects.toThrow(
      'the sound has 12.0 seconds, more than the 11 seconds that are allowed (MEDIA_MAX_SECONDS)',
    )
    const long = wrapFloats(makeNoise(100_000, 1))
    await expect(decodeAlone(long, 48_000, 2)).rejects.toThrow('has 2.1 seconds, more than the 2 seconds')
  })

  test('while it is decoded, where the file does not', async () => {
    const silence = readSoundFile('flac-silence.flac')
    silence.fill(0, 22, 26)
    const message = 'the sound has more than the 11 seconds that are allowed (MEDIA_MAX_SECONDS)'
    await expect(decodeAlone(silence, 48_000, 11)).rejects.toThrow(message)
    const mp3 = readSoundFile('mp3-mono-8000.mp3')
    await expect(decodeAlone(mp3, 8_000, 0.9)).rejects.toThrow('has more than the 0.9 seconds')
  })

  test('but not sound of just as many seconds', async () => {
    const { seconds } = await decodeAlone(readSoundFile('flac-silence.flac'), 48_000, 12)
    expect(seconds).toBe(12)
  })
})

test('whatever byte of a file is wrong, it is read or refused', async () => {
  const files = ['wav-extensible-24.wav', 'flac-alike.flac', 'mp3-mono-8000.mp3'].map(readSoundFile)
  for (const file of files) {
    for (let place = 0; place < file.length; place += place < 64 ? 1 : 997) {
      const broken = file.slice()
      broken[place] = (broken[place] as number) ^ 0xff
      const outcome = await prepareAudio(broken, SMALL, { maxSeconds: 60 }).then(
        ({ values }) => (values.every(Number.isFinite) ? 'read' : 'not finite'),
        (error: unknown) => (error as { code?: string }).code,
      )
      expect(['read', 'invalid_request'], `byte ${place}`).toContain(outcome)
    }
  }
})

test('frames of an MP3 file that hold nonsense are decoded or refused', async () => {
  const file = readSoundFile('mp3-stereo.mp3')
  const nonsense = makeNoise(file.length, 9)
  // All but the headers, which stand where those of the file do.
  for (let place = 400; place < file.length; place += 1)
    if (!file.subarray(Math.max(place - 3, 0), place + 1).includes(0xff))
      file[place] = (nonsense[place] as number) * 254
  const outcome = await prepareAudio(file, CLAP, { maxSeconds: 60 }).then(
    ({ values }) => values.every(Number.isFinite),
    (error: unknown) => (error as { code?: string }).code === 'invalid_request',
  )
  expect(outcome).toBe(true)
})

test('what the MP3 decoder thinks of a frame does not reach the console', async () => {
  const spoken = vi.spyOn(console, 'error')
  // Layer II, 32 kbit/s, joint stereo up to a band that so few bits have not.
  const frame = new Uint8Array(104)
  frame.set([0xff, 0xfd, 0x10, 0x70])
  await prepareAudio(new Uint8Array(Buffer.concat(Array.from({ length: 20 }, () => frame))), SMALL, {
    maxSeconds: 60,
  })
  expect(spoken).not.toHaveBeenCalled()
  spoken.mockRestore()
})

/** A model of few numbers. */
const SMALL = {
  ...CLAP,
  samplingRate: 8_000,
  hopLength: 80,
  fftWindowSize: 256,
  frequencyMax: 4_000,
  maxSamples: 800,
}

/** In Latin-1. */
function text(characters: string): Uint8Array {
  return new Uint8Array(Buffer.from(characters, 'latin1'))
}

function flipped(name: string, place: number): Uint8Array {
  const bytes = readSoundFile(name)
  bytes[place] = (bytes[place] as number) ^ 1
  return bytes
}
