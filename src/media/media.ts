import { RevivingThread } from '../base/reviving-thread.ts'
import { stopping } from '../errors.ts'
import type { AudioProcessing, ImageProcessing } from '../model/spec.ts'
import type { MediaItem } from '../task.ts'
import type { MediaCalls, MediaLimits, PreparedMedia } from './protocol.ts'

export type { MediaLimits, PreparedMedia } from './protocol.ts'

/** What the engine is given: fetches where there is a URL, then prepares. Throws what `fetchMedia` and `MediaThread` do. */
export interface MediaReader {
  read(item: MediaItem, processing: MediaProcessing, signal?: AbortSignal): Promise<PreparedMedia>
}

/** Of the tower that reads it; undefined where the model has none. */
export interface MediaProcessing {
  readonly image?: ImageProcessing | undefined
  readonly audio?: AudioProcessing | undefined
}

/** Pictures and sounds to what a tower reads, in a thread that the first of them starts. */
export class MediaThread {
  readonly #file: URL
  #thread: RevivingThread<MediaCalls> | undefined
  #closed = false

  constructor(file = new URL('./thread.ts', import.meta.url)) {
    this.#file = file
  }

  /** False once it died and could not be started again. */
  get healthy(): boolean {
    return this.#thread?.healthy ?? true
  }

  /** Throws `invalid_request` saying what is wrong with the file, and what is allowed. `bytes` stay the caller's. */
  prepareImage(bytes: Uint8Array, processing: ImageProcessing, limits: MediaLimits): Promise<PreparedMedia> {
    return this.#call('prepareImage', { bytes: toOwnBuffer(bytes), processing, limits })
  }

  /** As `prepareImage`. */
  prepareAudio(bytes: Uint8Array, processing: AudioProcessing, limits: MediaLimits): Promise<PreparedMedia> {
    return this.#call('prepareAudio', { bytes: toOwnBuffer(bytes), processing, limits })
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#thread?.close()
  }

  async #call<K extends keyof MediaCalls>(
    kind: K,
    ask: MediaCalls[K]['ask'],
  ): Promise<MediaCalls[K]['reply']> {
    if (this.#closed) throw stopping()
    this.#thread ??= new RevivingThread<MediaCalls>(this.#file, 'media')
    return this.#thread.callOnceMore(kind, ask)
  }
}

/** A view of a large buffer, a request's body say, would cross to the thread with all of it. */
function toOwnBuffer(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes)
}
