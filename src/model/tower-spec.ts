/** What a folder says of pictures and sound, as plain data: a part of `ModelSpec`. */
import type { EmbeddingStep } from './spec.ts'

/** What makes vectors of pictures; beside a text side, in the same space as those of its texts. */
export interface ImageTower {
  /** Names the tower's family: `clip_vision_model`, `siglip_vision_model`, `vit`, `dinov2`. */
  readonly modelType: string
  /** The tower's own section of config.json; what it inherits from the whole is in it. */
  readonly config: Readonly<Record<string, unknown>>
  /** Behind the tower's pooled vector: a projection, a norm. */
  readonly steps: readonly EmbeddingStep[]
  readonly processing: ImageProcessing
}

/** What makes vectors of sound; beside a text side, in the same space as those of its texts. */
export interface AudioTower {
  /** `clap_audio_model` */
  readonly modelType: string
  readonly config: Readonly<Record<string, unknown>>
  readonly steps: readonly EmbeddingStep[]
  readonly processing: AudioProcessing
}

export type Resample = 'nearest' | 'box' | 'bilinear' | 'hamming' | 'bicubic' | 'lanczos'

export type Resize =
  /** The shorter side becomes `edge` pixels, and the ratio stays. */
  | { readonly kind: 'shortest_edge'; readonly edge: number }
  | { readonly kind: 'exact'; readonly height: number; readonly width: number }
  /** The ratio stays, nearly: at most so many patches, whole ones, laid over a grid of `places` × `places` (NaFlex). */
  | { readonly kind: 'patches'; readonly maxPatches: number; readonly places: number }

export type Channels = readonly [red: number, green: number, blue: number]

/** How a picture becomes patches, in this order: resized, cropped, scaled, `(value − mean) / std`. */
export interface ImageProcessing {
  readonly resize: Resize | undefined
  readonly resample: Resample
  /** Of the middle; what lies beyond the picture is black. */
  readonly crop: { readonly height: number; readonly width: number } | undefined
  /** Undefined: values stay 0 to 255. */
  readonly scale: number | undefined
  readonly mean: Channels | undefined
  /** Undefined where `mean` is. */
  readonly std: Channels | undefined
  /** Pixels of a side. */
  readonly patchSize: number
  /** Lines of zeros before the patches, in whose places the graph puts learned tokens. */
  readonly leadingTokens: number
}

/** How sound becomes a log-mel spectrogram. */
export interface AudioProcessing {
  /** Samples a second. */
  readonly samplingRate: number
  /** Samples. */
  readonly hopLength: number
  /** Samples. */
  readonly fftWindowSize: number
  /** Mel bands. */
  readonly featureSize: number
  /** Hertz. */
  readonly frequencyMin: number
  /** Hertz. */
  readonly frequencyMax: number
  /** Samples that the tower hears at once. */
  readonly maxSamples: number
  /** What is made of longer sound: four views of it, or a piece from anywhere. */
  readonly truncation: 'fusion' | 'rand_trunc'
  /** What shorter sound is filled up with: itself, whole times and silence behind, itself to the end, or silence. */
  readonly padding: 'repeatpad' | 'repeat' | 'pad'
}
