import type { Transferable } from 'node:worker_threads'
import { parentPort } from 'node:worker_threads'
import { toWireError } from '../errors.ts'
import type { AskMessage, CallMap, ReplyMessage } from './thread-protocol.ts'
import { START_ID } from './thread-protocol.ts'

export interface Answer<Reply> {
  readonly reply: Reply
  /** Buffers that move to the caller instead of being copied. */
  readonly transfer?: readonly Transferable[]
}

export type Handlers<C extends CallMap<C>> = {
  readonly [K in keyof C]: (ask: C[K]['ask']) => Answer<C[K]['reply']> | Promise<Answer<C[K]['reply']>>
}

/** The far end of a `ThreadClient`: answers every call, failures as message and code. */
export function serveCalls<C extends CallMap<C>>(handlers: Handlers<C>): void {
  const port = parentPort
  if (port === null) throw new Error('this file runs as a worker thread only')
  port.on('message', (message: AskMessage) => void answer(message))
  port.postMessage({ id: START_ID, ok: true, reply: {} } satisfies ReplyMessage)

  async function answer({ id, kind, ask }: AskMessage): Promise<void> {
    try {
      const { reply, transfer = [] } = await handlers[kind as keyof C](ask)
      port?.postMessage({ id, ok: true, reply } satisfies ReplyMessage, [...transfer])
    } catch (error) {
      port?.postMessage({ id, ok: false, error: toWireError(error) } satisfies ReplyMessage)
    }
  }
}
