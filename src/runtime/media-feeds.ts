/** What a batch of pictures or sounds gives to the graph of a tower. */
import { ServerError } from '../errors.ts'
import type { BatchMedia, RaggedBatch } from './runner.ts'

/** Numbers of one line of each of a tower's inputs; 0 where the batch has none for it. */
export interface MediaSizes {
  /** Of a token. */
  readonly Q: number
  /** Of a row. */
  readonly F: number
  /** Of a token. */
  readonly G: number
}

export function mediaSizes({ media, ids, bounds }: RaggedBatch): MediaSizes {
  if (media === undefined) return { Q: 0, F: 0, G: 0 }
  const values = countOf(media.values)
  return {
    Q: values / ids.length,
    F: values / (bounds.length - 1),
    G: countOf(media.places ?? []) / ids.length,
  }
}

/** [T, Q] or [B, F], which lie alike. */
export function mediaValues({ media }: RaggedBatch): Float32Array {
  return joinShared(expectMedia(media).values)
}

/** [T, G] */
export function mediaPlaces({ media }: RaggedBatch): Float32Array {
  const { places } = expectMedia(media)
  if (places === undefined)
    throw new ServerError('internal', 'the batch says nothing of the places of its patches')
  return joinShared(places)
}

function expectMedia(media: BatchMedia | undefined): BatchMedia {
  if (media !== undefined) return media
  throw new ServerError('internal', 'a tower was given a batch of texts')
}

/** ONNX Runtime takes no shared memory, and wants all rows in one piece. */
function joinShared(parts: readonly Float32Array<SharedArrayBuffer>[]): Float32Array {
  const joined = new Float32Array(countOf(parts))
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += part.length
  }
  return joined
}

function countOf(parts: readonly Float32Array[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0)
}
