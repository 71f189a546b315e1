/** A reader that makes of `https://fake/<value>/<tokens>` so many tokens of that value; or waits until the test lets it. */
import { ServerError, cancelled } from '../../src/errors.ts'
import type { MediaProcessing, MediaReader, PreparedMedia } from '../../src/media/media.ts'
import type { ImageTower, AudioTower } from '../../src/model/spec.ts'
import type { Media } from '../../src/runtime/runner.ts'
import type { MediaItem } from '../../src/task.ts'
import { NORMALIZE } from './model.ts'

export const IMAGE: ImageTower = {
  modelType: 'clip_vision_model',
  config: {},
  steps: [NORMALIZE],
  processing: {
    resize: { kind: 'shortest_edge', edge: 8 },
    resample: 'bicubic',
    crop: undefined,
    scale: undefined,
    mean: undefined,
    std: undefined,
    patchSize: 4,
    leadingTokens: 1,
  },
}

export const AUDIO: AudioTower = {
  modelType: 'clap_audio_model',
  config: {},
  steps: [NORMALIZE],
  processing: {
    samplingRate: 48_000,
    hopLength: 480,
    fftWindowSize: 1024,
    featureSize: 64,
    frequencyMin: 50,
    frequencyMax: 14_000,
    maxSamples: 480_000,
    truncation: 'rand_trunc',
    padding: 'repeatpad',
  },
}

export const TOWERS = { image: { maxTokens: 9 }, audio: { maxTokens: 9 } }

/** What nobody can read. */
export const BAD = 'bad'

export function mediaItem(
  value: number | typeof BAD,
  index: number,
  { tokens = 5, modality = 'image' }: { tokens?: number; modality?: MediaItem['modality'] } = {},
): MediaItem {
  return { modality, name: `input[${index}]`, source: { url: `https://fake/${value}/${tokens}` } }
}

export function mediaOf(modality: Media['modality'], value: number, tokens: number): Media {
  const values = new Float32Array(new SharedArrayBuffer(4 * tokens))
  return { modality, values: values.fill(value) }
}

interface Read {
  readonly item: MediaItem
  readonly processing: MediaProcessing
  readonly signal: AbortSignal | undefined
  readonly go: () => void
}

export class FakeReader implements MediaReader {
  /** All that were asked for so far. */
  readonly reads: Read[] = []
  /** Asked for and not read yet. */
  waiting = 0
  readonly #isHeld: boolean

  constructor({ isHeld = false } = {}) {
    this.#isHeld = isHeld
  }

  /** Reads what was asked for. */
  go(): void {
    for (const { go } of this.reads) go()
  }

  async read(item: MediaItem, processing: MediaProcessing, signal?: AbortSignal): Promise<PreparedMedia> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.reads.push({ item, processing, signal, go: resolve })
    signal?.addEventListener('abort', () => reject(cancelled()))
    this.waiting++
    if (!this.#isHeld) resolve()
    try {
      await promise
    } finally {
      this.waiting--
    }
    const [value, tokens] = ('url' in item.source ? item.source.url : '').split('/').slice(-2)
    if (value === BAD) throw new ServerError('invalid_request', 'the file is no picture')
    const { values } = mediaOf(item.modality, Number(value), Number(tokens))
    return { values, tokens: Number(tokens), units: Number(tokens) - 1, digest: `${value} ${tokens}` }
  }
}
