import { hash } from 'node:crypto'
import type { Media, RaggedRow } from '../runtime/runner.ts'
import type { PendingRequest } from './pending-request.ts'

/** Where a result goes. */
export interface Item {
  readonly request: PendingRequest
  /** Its place in the request. */
  readonly index: number
}

/** One text, pair, picture or sound that waits for the device. */
export interface Row extends RaggedRow, Item {
  /** As `keyOf` has it. */
  readonly key: string
}

/**
 * Two rows of a model with the same key get the same result: it digests all that the device sees of a row, so that
 * prompts, templates and cuts are in it. No client can make two texts share one. Under 2 µs for 128 tokens.
 */
export function keyOf({ ids, typeStart, unpooledTokens, adapter, wantsTokens }: RaggedRow): string {
  const seen = new Int32Array(4 + ids.length)
  seen[0] = typeStart
  seen[1] = unpooledTokens
  seen[2] = adapter
  seen[3] = wantsTokens ? 1 : 0
  seen.set(ids, 4)
  // A character a byte: half as long as hexadecimal digits.
  return hash('sha256', seen, 'binary')
}

/**
 * As `keyOf`, of a row of media; `digest`: of its numbers. As long as that of a text, and never the same: what is digested
 * begins with a word, a text's with the place where its token types change.
 */
export function mediaKeyOf(modality: Media['modality'], digest: string): string {
  return hash('sha256', `${modality} ${digest}`, 'binary')
}
