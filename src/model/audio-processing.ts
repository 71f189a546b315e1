/** preprocessor_config.json of CLAP's feature extractor, with the defaults of transformers 5.23. */
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { processorClass, readProcessor } from './read-processor.ts'
import { showValue } from './show-value.ts'
import type { AudioProcessing } from './tower-spec.ts'

/** Far above what any model has: buffers are made as large as a folder says. */
const MOST_RATE = 768_000
const MOST_WINDOW = 65_536
const MOST_MELS = 1024
const MOST_SECONDS = 600

const AudioSettings = z.looseObject({
  feature_extractor_type: z.string().nullish(),
  feature_size: z.int().positive().max(MOST_MELS).nullish(),
  sampling_rate: z.int().positive().max(MOST_RATE).nullish(),
  hop_length: z.int().positive().max(MOST_WINDOW).nullish(),
  max_length_s: z.int().positive().max(MOST_SECONDS).nullish(),
  fft_window_size: z.int().min(2).max(MOST_WINDOW).nullish(),
  frequency_min: z.number().nonnegative().nullish(),
  frequency_max: z.number().positive().nullish(),
  padding_value: z.number().nullish(),
  top_db: z.number().nullish(),
  truncation: z.enum(['fusion', 'rand_trunc']).nullish(),
  padding: z.enum(['repeatpad', 'repeat', 'pad']).nullish(),
})

const EXTRACTOR = 'ClapFeatureExtractor'

interface Tower {
  readonly model: string
  /** Mel bands that it reads. */
  readonly melBands: number
  /** Whether it reads four views of sound that is longer than it hears at once. */
  readonly fuses: boolean
}

/** Throws `model_invalid` for a file that is missing, broken, or contradicts config.json; `model_unsupported` for another extractor. */
export async function readAudioProcessing(folder: string, tower: Tower): Promise<AudioProcessing> {
  const key = 'feature_extractor'
  const { settings, where } = await readProcessor(folder, {
    key,
    schema: AudioSettings,
    model: tower.model,
  })
  expectClap(settings, where)
  const samplingRate = settings.sampling_rate ?? 48_000
  const processing: AudioProcessing = {
    samplingRate,
    hopLength: settings.hop_length ?? 480,
    fftWindowSize: settings.fft_window_size ?? 1024,
    featureSize: settings.feature_size ?? 64,
    frequencyMin: settings.frequency_min ?? 0,
    frequencyMax: settings.frequency_max ?? 14_000,
    maxSamples: (settings.max_length_s ?? 10) * samplingRate,
    truncation: settings.truncation ?? 'fusion',
    padding: settings.padding ?? 'repeatpad',
  }
  expectFit(processing, tower, where)
  return processing
}

function expectClap(settings: z.infer<typeof AudioSettings>, where: string): void {
  const name = settings.feature_extractor_type ?? EXTRACTOR
  if (processorClass(name) !== processorClass(EXTRACTOR)) {
    throw new ServerError(
      'model_unsupported',
      `${where} is of ${showValue(name)}, which is not supported; supported is ${EXTRACTOR}`,
    )
  }
  const [key, value, only] =
    (settings.padding_value ?? 0) === 0
      ? (['top_db', settings.top_db ?? undefined, 'null'] as const)
      : (['padding_value', settings.padding_value, '0'] as const)
  if (value === undefined) return
  throw new ServerError('model_unsupported', `${where} has ${key} ${value}; supported is ${only}`)
}

function expectFit(processing: AudioProcessing, { melBands, fuses }: Tower, where: string): void {
  const { frequencyMin, frequencyMax, samplingRate, featureSize, fftWindowSize, truncation } = processing
  const invalid = (problem: string) => new ServerError('model_invalid', `${where} has ${problem}`)
  if (frequencyMin >= frequencyMax || frequencyMax > samplingRate / 2) {
    throw invalid(
      `frequency_min ${frequencyMin} and frequency_max ${frequencyMax}; the first must be below the second, and that at most half of sampling_rate ${samplingRate}`,
    )
  }
  if (!Number.isInteger(Math.log2(fftWindowSize))) {
    const message = `${where} has fft_window_size ${fftWindowSize}; supported are powers of two`
    throw new ServerError('model_unsupported', message)
  }
  if (featureSize !== melBands)
    throw invalid(
      `feature_size ${featureSize}, and config.json num_mel_bins ${melBands}; they must be the same`,
    )
  if ((truncation === 'fusion') !== fuses) {
    const needed = fuses ? 'fusion' : 'rand_trunc'
    throw invalid(`truncation ${truncation}; with enable_fusion ${fuses} in config.json it must be ${needed}`)
  }
}
