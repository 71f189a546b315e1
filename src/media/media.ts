import { RevivingThread } from '../base/reviving-thread.ts'
import { stopping } from '../errors.ts'
import type { AudioProcessing, ImageProcessing } from '../model/spec.ts'
import type { MediaItem } from '../task.ts'
import type { MediaCalls, MediaLimits, PreparedMedia } from './protocol.ts'

export type { MediaLimits, PreparedMedia } from './protocol.ts'

/** What the engine is given: fetches where there is a URL, then prepares. Throws what `fetchMedia` and `MediaThreads` do. */
export interface MediaReader {
  read(item: MediaItem, processing: MediaProcessing, signal?: AbortSignal): Promise<PreparedMedia>
}

/** Of the tower that reads it; undefined where the model has none. */
export interface MediaProcessing {
  readonly image?: ImageProcessing | undefined
  readonly audio?: AudioProcessing | undefined
}

/** Pictures and sounds to what a tower reads, in a thread for each of the two: pictures do not wait for minutes of sound. */
export class MediaThreads {
  readonly #file: URL
  /** Each is started by the first that needs it. */
  readonly #threads = new Map<keyof MediaCalls, RevivingThread<MediaCalls>>()
  #closed = false

  constructor(file = new URL('./thread.ts', import.meta.url)) {
    this.#file = file
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
    await Promise.all([...this.#threads.values()].map((thread) => thread.close()))
  }

  async #call<K extends keyof MediaCalls>(
    kind: K,
    ask: MediaCalls[K]['ask'],
  ): Promise<MediaCalls[K]['reply']> {
    if (this.#closed) throw stopping()
    const thread = this.#threads.get(kind) ?? new RevivingThread<MediaCalls>(this.#file, THREAD_NAMES[kind])
    this.#threads.set(kind, thread)
    return thread.callOnceMore(kind, ask)
  }
}

const THREAD_NAMES: Readonly<Record<keyof MediaCalls, string>> = {
  prepareImage: 'image',
  prepareAudio: 'audio',
}

/** A view of a large buffer, a request's body say, would cross to the thread with all of it. */
function toOwnBuffer(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes)
}
