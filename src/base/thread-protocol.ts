/** A thread's calls as one typed map: kind → what is asked and what comes back. */
import type { WireError } from '../errors.ts'

// A record of object types, not an index signature, so that an interface fits.
export type CallMap<C> = { [K in keyof C]: { ask: object; reply: object } }

export interface AskMessage {
  readonly id: number
  readonly kind: string
  readonly ask: object
}

export type ReplyMessage =
  | { readonly id: number; readonly ok: true; readonly reply: object }
  | { readonly id: number; readonly ok: false; readonly error: WireError }

/** The thread's first message, once all that it imports is there. */
export const START_ID = 0
