import { ServerError, cancelled } from '../errors.ts'
import type { MediaItem } from '../task.ts'
import { FairLine } from './fair-line.ts'
import type { MediaPolicy } from './fetch-media.ts'
import type { MediaLimits, MediaProcessing, MediaReader, MediaThreads, PreparedMedia } from './media.ts'

export interface ReadMediaOptions extends MediaLimits {
  readonly thread: Pick<MediaThreads, 'prepareImage' | 'prepareAudio'>
  readonly policy: MediaPolicy
  /** Of one file. */
  readonly maxBytes: number
  /** Of fetching it. */
  readonly timeoutMs: number
}

/**
 * What a thread is given at a time: enough that it never waits for the next. The rest waits here, where a request that ends
 * takes its own with it. Pictures are decoded by threads of sharp's besides, sounds by the thread itself.
 */
const AT_A_TIME = { image: 4, audio: 2 } as const

export function openMediaReader(options: ReadMediaOptions): MediaReader {
  const lines = { image: new FairLine(AT_A_TIME.image), audio: new FairLine(AT_A_TIME.audio) }
  return {
    async read(item, processing, signal) {
      const bytes = await bytesOf(item, options, signal)
      if (signal?.aborted === true) throw cancelled()
      return lines[item.modality].run(() => prepare(item, bytes, { processing, options }), signal)
    },
  }
}

async function bytesOf(
  { source }: MediaItem,
  { policy, maxBytes, timeoutMs }: ReadMediaOptions,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  if ('url' in source) {
    // Its client of HTTP is read only where there is something to fetch.
    const { fetchMedia } = await import('./fetch-media.ts')
    return fetchMedia(source.url, { policy, maxBytes, timeoutMs, signal })
  }
  const { bytes } = source
  if (bytes.length <= maxBytes) return bytes
  throw new ServerError(
    'invalid_request',
    `the file has ${bytes.length} bytes; ${maxBytes} are allowed (MEDIA_MAX_MB)`,
  )
}

async function prepare(
  { modality }: MediaItem,
  bytes: Uint8Array,
  { processing, options }: { readonly processing: MediaProcessing; readonly options: ReadMediaOptions },
): Promise<PreparedMedia> {
  const { thread } = options
  const limits = { maxPixels: options.maxPixels, maxSeconds: options.maxSeconds }
  if (modality === 'image' && processing.image) return thread.prepareImage(bytes, processing.image, limits)
  if (modality === 'audio' && processing.audio) return thread.prepareAudio(bytes, processing.audio, limits)
  throw new ServerError('internal', `the model has no tower for ${modality}`)
}
