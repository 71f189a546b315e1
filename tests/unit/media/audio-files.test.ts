import { readMpegHeader } from '../../../src/media/mpeg-header.ts'
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { chunkHead, decodeAlone, readReferences, readSoundFile, wrapFloats, wrapWav } from './sounds.ts'

interface FileReference {
  readonly file: string
  readonly rate: number
  readonly samples: number
  /** Of all samples as float32; of MP3, which is not exact, some of them. */
  readonly sha256?: string
  readonly every61st?: readonly number[]
}

describe.each(readReferences<FileReference>('files.json'))(
  '$file',
  ({ file, rate, samples, sha256, every61st }) => {
    test('has the samples that libsndfile reads, its channels averaged', async () => {
      const sound = await decodeAlone(readSoundFile(file), rate)
      expect(sound.samples.length).toBe(samples)
      expect(sound.seconds).toBeCloseTo(samples / rate, 9)
      const { buffer, byteOffset, byteLength } = sound.samples
      const bytes = new Uint8Array(buffer, byteOffset, byteLength)
      if (sha256 !== undefined) expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256)
      for (const [index, value] of (every61st ?? []).entries())
        expect(Math.abs((sound.samples[index * 61] as number) - value), `${index * 61}`).toBeLessThan(1e-5)
    })
  },
)

const PAIR = wrapFloats([0.25, -0.5])

const sameTwo: readonly (readonly [string, Uint8Array])[] = [
  ['says that the data have the greatest size', wrapFloats([0.25, -0.5], { size: 0xff_ff_ff_ff })],
  ['says that the data have the greatest signed size', wrapFloats([0.25, -0.5], { size: 0x7f_ff_ff_ff })],
  ['says what SoX does into a pipe', wrapFloats([0.25, -0.5], { size: 0x7f_ff_f0_00 })],
  ['has the size of its data in 64 bits', wrapLong(8)],
  ['has no size of its data in 64 bits either', wrapLong(0)],
  ['says that the data have no size', wrapFloats([0.25, -0.5], { size: 0 })],
  [
    'has data that end within a sample',
    wrapWav(new Uint8Array([...PAIR.subarray(44), 1, 2, 3]), { tag: 3, bits: 32 }),
  ],
  ['has a chunk of an odd size before its data', wrapFloats([0.25, -0.5], { between: oddChunk() })],
  ['has a chunk behind its data', wrapFloats([0.25, -0.5], { after: oddChunk() })],
  ['has 64-bit floats', wrapWav(new Uint8Array(Float64Array.of(0.25, -0.5).buffer), { tag: 3, bits: 64 })],
  ['has two channels', wrapFloats([0.5, 0, -0.75, -0.25], { channels: 2 })],
  ['has 12 bits at the upper end of two bytes', wrapWav(Uint8Array.of(0, 0x20, 0, 0xc0), { bits: 12 })],
]

test.each(sameTwo)('a WAV file is read that %s', async (_, bytes) => {
  const { samples } = await decodeAlone(bytes, 48_000)
  expect([...samples]).toEqual([0.25, -0.5])
})

test.each([
  ['cut within a sample', PAIR.subarray(0, PAIR.length - 3), 8, 5],
  ['cut between samples', PAIR.subarray(0, PAIR.length - 4), 8, 4],
  ['of a size that no writer leaves', wrapFloats([0.25, -0.5], { size: 0x7f_ff_ef_ff }), 0x7f_ff_ef_ff, 8],
  ['with the size of its data in 64 bits', wrapLong(9), 9, 8],
])('a WAV file %s has fewer data than it says, and is refused', async (_, bytes, said, left) => {
  await expect(decodeAlone(bytes, 48_000)).rejects.toThrow(
    `the sound is a damaged WAV file: its header says ${said} bytes of data, and there are ${left}`,
  )
})

test('a title, junk between frames and a cut last frame leave the rest of an MP3 file as it is', async () => {
  const plain = withoutTable('mp3-stereo.mp3')
  const { samples } = await decodeAlone(plain, 44_100)
  const title = Buffer.concat([Buffer.from('TAG'), Buffer.alloc(125, 0x41)])
  const junk = await decodeAlone(new Uint8Array(Buffer.concat([plain, title])), 44_100)
  expect(junk.samples).toEqual(samples)
  const cut = await decodeAlone(plain.subarray(0, plain.length - 5), 44_100)
  expect(cut.samples.length).toBeLessThan(samples.length)
  expect(cut.samples.length).toBeGreaterThan(samples.length - 2_400)
})

test('an MP3 file is refused that has fewer frames than its table says', async () => {
  const plain = readSoundFile('mp3-stereo.mp3')
  const title = new Uint8Array(128).fill(0x41)
  // The third has a title where the rest of a frame should be, and so one that looks whole.
  for (const [bytes, left] of [
    [plain.subarray(0, plain.length - 5), 39],
    [plain.subarray(0, plain.length / 2), 18],
    [new Uint8Array([...plain.subarray(0, plain.length / 2), ...title]), 19],
    [plain.subarray(0, 500), 0],
  ] as const) {
    await expect(decodeAlone(bytes, 44_100)).rejects.toThrow(
      `is MPEG audio that ends after ${left} of 40 frames, or is damaged there`,
    )
  }
})

test.each([
  ['Xing', 36, 8],
  ['Info', 36, 8],
  ['Info', 38, 8],
  ['VBRI', 36, 14],
])('the table %s at byte %i may count its own frame', async (name, at, place) => {
  const bytes = readSoundFile('mp3-stereo.mp3')
  const view = new DataView(bytes.buffer)
  bytes.fill(0, 36, 60)
  bytes.set(Buffer.from(name), at)
  if (name !== 'VBRI') bytes[at + 7] = 1
  view.setUint32(at + place, 41)
  expect((await decodeAlone(bytes, 44_100)).samples.length).toBeGreaterThan(40_000)
  view.setUint32(at + place, 42)
  await expect(decodeAlone(bytes, 44_100)).rejects.toThrow('ends after 40 of 42 frames')
})

test('a table of an MP3 file that does not say how many frames there are is believed in nothing', async () => {
  const bytes = readSoundFile('mp3-stereo.mp3')
  bytes[43] = 0
  expect((await decodeAlone(bytes.subarray(0, 10_000), 44_100)).seconds).toBeGreaterThan(0.4)
})

test('what looks like a frame of an MP3 file but has none of its kind behind it is left out', async () => {
  const plain = readSoundFile('mp3-mono-8000.mp3')
  const { samples } = await decodeAlone(plain, 8_000)
  // As a frame of 44.1 kHz begins.
  const behind = Buffer.concat([Uint8Array.of(0xff, 0xfb, 0x90, 0x00), Buffer.alloc(60), plain])
  expect((await decodeAlone(new Uint8Array(behind), 8_000)).samples).toEqual(samples)
})

test('a FLAC file is read whose writer did not know how long it would be', async () => {
  const bytes = readSoundFile('flac-24.flac')
  const { samples } = await decodeAlone(bytes, 48_000)
  bytes.fill(0, 22, 26)
  const title = Buffer.concat([Buffer.from('TAG'), Buffer.alloc(125)])
  const unknown = await decodeAlone(new Uint8Array(Buffer.concat([bytes, title])), 48_000)
  expect(unknown.samples).toEqual(samples)
})

function oddChunk(): Uint8Array {
  return new Uint8Array(Buffer.concat([chunkHead('LIST', 3), Buffer.from('abc\0')]))
}

/** As from an encoder that writes none. */
function withoutTable(name: string): Uint8Array {
  const bytes = readSoundFile(name)
  return bytes.subarray(readMpegHeader(bytes, 0)?.byteCount)
}

/** Two floats in an RF64 file that says so many bytes of data. */
function wrapLong(size: number): Uint8Array {
  const sizes = Buffer.concat([chunkHead('ds64', 28), Buffer.alloc(28)])
  sizes.writeBigUInt64LE(BigInt(size), 16)
  const bytes = wrapFloats([0.25, -0.5], { size: 0xff_ff_ff_ff, between: new Uint8Array(sizes) })
  bytes.set(Buffer.from('RF64'))
  return bytes
}
