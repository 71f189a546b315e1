import { describe, expect, test } from 'vitest'
import { countUsedSamples, extractFeatures } from '../../../src/media/clap-features.ts'
import { SoundCollector } from '../../../src/media/collect-sound.ts'
import { prepareAudio } from '../../../src/media/prepare-audio.ts'
import { SoundResampler } from '../../../src/media/resample-sound.ts'
import type { AudioProcessing } from '../../../src/model/spec.ts'
import { CLAP, makeNoise, makeSound, readReferences, readSoundFile, wrapFloats } from './sounds.ts'

/** What `generate.py` says of features: some lines, and means of bands and of 13 lines each. */
interface FeatureLines {
  readonly longer: boolean
  readonly lines: number
  readonly every: number
  readonly values: readonly (readonly number[])[]
  readonly partMeans: readonly number[]
  readonly bandMeans: readonly number[]
}

interface FeatureReference extends FeatureLines {
  readonly sound: string
  readonly samples: number
  readonly settings: Readonly<Record<string, number>>
  readonly truncation: AudioProcessing['truncation']
  readonly padding: AudioProcessing['padding']
}

const PART = 13

/** Decibels. */
const TOLERANCE = 2e-5

describe('features are those of transformers', () => {
  const references = readReferences<FeatureReference>('features.json')
  test.each(references)('$samples samples of $sound, $truncation, $padding', (reference) => {
    const processing = processingOf(reference)
    const heard = makeSound(reference.sound, reference.samples).subarray(0, countUsedSamples(processing))
    const { values, lines } = extractFeatures(heard, processing)
    const hasFlag = reference.truncation === 'fusion'
    expect(lines).toBe(reference.lines + (hasFlag ? 1 : 0))
    if (hasFlag) {
      const flag = values.subarray(reference.lines * processing.featureSize)
      expect([...flag]).toEqual([
        reference.longer ? 1 : 0,
        ...Array.from({ length: flag.length - 1 }, () => 0),
      ])
    }
    expectLines(values, processing.featureSize, reference, TOLERANCE)
  })
})

describe('from a file to features', () => {
  const references = readReferences<FeatureLines & { file: string }>('whole.json')
  test.each(references)('$file', async (reference) => {
    const prepared = await prepareAudio(readSoundFile(reference.file), CLAP, { maxSeconds: 600 })
    expect(prepared.tokens).toBe(reference.lines)
    // What comes of an MP3 decoder's last digits is more.
    const tolerance = reference.file.endsWith('.mp3') ? 1e-3 : TOLERANCE
    expectLines(prepared.values, CLAP.featureSize, reference, tolerance)
  })
})

describe('resampling is that of scipy with the same filter', () => {
  interface Resampled {
    readonly rate: number
    readonly target: number
    readonly length: number
    readonly samples: number
    readonly every7th: readonly number[]
  }
  test.each(readReferences<Resampled>('resampled.json'))('$length samples, $rate to $target', (reference) => {
    const { rate, target, length, samples, every7th } = reference
    const made = resample(makeNoise(length, 3), { rate, target, block: length })
    expect(made.length).toBe(samples)
    for (const [index, value] of every7th.entries())
      expect(Math.abs((made[index * 7] as number) - value), `${index * 7}`).toBeLessThan(3e-7)
  })

  test.each([44_100, 8_000, 96_000, 44_101])('of %d to 48000 the size of blocks changes nothing', (rate) => {
    const sound = makeNoise(2_000, 3)
    const whole = resample(sound, { rate, target: 48_000, block: sound.length })
    for (const block of [1, 37, 700]) expect(resample(sound, { rate, target: 48_000, block })).toEqual(whole)
  })
})

test('a tone keeps its pitch and its loudness', () => {
  const tone = (rate: number, length: number) =>
    Float32Array.from({ length }, (_, index) => 0.5 * Math.sin((2 * Math.PI * 1_000 * index) / rate))
  const made = resample(tone(44_100, 4_410), { rate: 44_100, target: 48_000, block: 4_410 })
  const wanted = tone(48_000, 4_800)
  for (let index = 200; index < 4_600; index += 1)
    expect(Math.abs((made[index] as number) - (wanted[index] as number))).toBeLessThan(1e-6)
})

test('what the lower rate cannot hold is silenced', () => {
  const tone = Float32Array.from({ length: 9_600 }, (_, index) =>
    Math.sin((2 * Math.PI * 30_000 * index) / 96_000),
  )
  const made = resample(tone, { rate: 96_000, target: 48_000, block: 9_600 })
  expect(Math.max(...made.subarray(200, 4_600).map(Math.abs))).toBeLessThan(1e-5)
})

test('of longer sound a model that takes a piece hears the beginning', async () => {
  const long = makeNoise(600_000, 5)
  const [beginning, all] = [long.subarray(0, 480_000), long]
  const one = await prepareAudio(wrapFloats(beginning), CLAP, { maxSeconds: 600 })
  const other = await prepareAudio(wrapFloats(all), CLAP, { maxSeconds: 600 })
  expect(other.digest).toBe(one.digest)
  expect([one.units, other.units]).toEqual([10, 13])
})

test('no more of a sound is kept than is used', () => {
  const sound = new SoundCollector({ samplingRate: 48_000, maxSeconds: 60, usedSamples: 1_000 })
  sound.start(44_100)
  for (let block = 0; block < 10; block += 1) sound.add([makeNoise(44_100, block)])
  const { samples, seconds } = sound.finish()
  expect([samples.length, samples.buffer.byteLength, seconds]).toEqual([1_000, 4_000, 10])
})

test('the digest tells sounds apart, and shapes of the same numbers', async () => {
  const digests = await Promise.all([
    digestOf(makeNoise(100, 1), CLAP),
    digestOf(makeNoise(100, 2), CLAP),
    digestOf(makeNoise(100, 1), { ...CLAP, padding: 'pad' }),
    digestOf(makeNoise(100, 1), CLAP),
  ])
  expect(new Set(digests).size).toBe(3)
  expect(digests[3]).toBe(digests[0])
})

test.each([
  [1, 1],
  [48_000, 1],
  [48_001, 2],
])('%d samples at 48 kHz count as %d seconds', async (length, units) => {
  const prepared = await prepareAudio(wrapFloats(makeNoise(length, 1)), CLAP, { maxSeconds: 600 })
  expect(prepared.units).toBe(units)
})

function processingOf({ settings, truncation, padding }: FeatureReference): AudioProcessing {
  const read = (name: string) => settings[name] ?? 0
  return {
    samplingRate: read('sampling_rate'),
    hopLength: read('hop_length'),
    fftWindowSize: read('fft_window_size'),
    featureSize: read('feature_size'),
    frequencyMin: read('frequency_min'),
    frequencyMax: read('frequency_max'),
    maxSamples: read('max_length_s') * read('sampling_rate'),
    truncation,
    padding,
  }
}

function expectLines(values: Float32Array, mels: number, reference: FeatureLines, tolerance: number): void {
  const expectNear = (value: number, wanted: number | undefined, where: string) =>
    expect(Math.abs(value - (wanted ?? NaN)), where).toBeLessThan(tolerance)
  for (const [index, line] of reference.values.entries()) {
    const start = index * reference.every * mels
    for (const [band, wanted] of line.entries())
      expectNear(values[start + band] as number, wanted, `line ${index * reference.every}, band ${band}`)
  }
  for (const [part, wanted] of reference.partMeans.entries()) {
    const end = Math.min((part + 1) * PART, reference.lines)
    expectNear(mean(values.subarray(part * PART * mels, end * mels)), wanted, `part ${part}`)
  }
  for (const [band, wanted] of reference.bandMeans.entries()) {
    const numbers = Float32Array.from(
      { length: reference.lines },
      (_, line) => values[line * mels + band] as number,
    )
    expectNear(mean(numbers), wanted, `band ${band}`)
  }
}

function mean(numbers: Float32Array): number {
  return numbers.reduce((sum, value) => sum + value, 0) / numbers.length
}

function resample(
  sound: Float32Array,
  { rate, target, block }: { rate: number; target: number; block: number },
) {
  const limits = { samplingRate: target, maxSeconds: 60, usedSamples: Number.POSITIVE_INFINITY }
  const resampler = new SoundResampler(rate, limits)
  for (let at = 0; at < sound.length; at += block) resampler.add(sound.subarray(at, at + block))
  return resampler.finish()
}

async function digestOf(samples: Float32Array, processing: AudioProcessing): Promise<string> {
  const { digest } = await prepareAudio(wrapFloats(samples), processing, { maxSeconds: 600 })
  return digest
}
