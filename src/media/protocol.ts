import type { AudioProcessing, ImageProcessing } from '../model/spec.ts'

/** What one item may have, whatever the model: looked at before it is decoded, where its header tells. */
export interface MediaLimits {
  /** Width times height. */
  readonly maxPixels: number
  /** Of sound. */
  readonly maxSeconds: number
}

/** What a tower reads of one picture or sound. In shared memory, so that no thread copies it on its way. */
export interface PreparedMedia {
  /** [tokens, Q], a line for each token. */
  readonly values: Float32Array<SharedArrayBuffer>
  /** [tokens, G], of towers whose pictures have any shape: how much of each learned place a token's place is. */
  readonly places?: Float32Array<SharedArrayBuffer>
  /** Lines that the graph reads: the row's tokens. */
  readonly tokens: number
  /** What usage counts: patches, or whole seconds of sound. */
  readonly units: number
  /** SHA-256, in hex, of the numbers and their shape or of what both are made of: equal ones share a result. */
  readonly digest: string
}

export interface MediaCalls {
  prepareImage: {
    ask: { readonly bytes: Uint8Array; readonly processing: ImageProcessing; readonly limits: MediaLimits }
    reply: PreparedMedia
  }
  prepareAudio: {
    ask: { readonly bytes: Uint8Array; readonly processing: AudioProcessing; readonly limits: MediaLimits }
    reply: PreparedMedia
  }
}
