import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setImmediate } from 'node:timers/promises'

/** Resolves when a client in this process has read the head of the next answer that comes to it. */
export async function answerBegun(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const onHeaders = () => resolve()
  subscribe('undici:request:headers', onHeaders)
  await promise
  unsubscribe('undici:request:headers', onHeaders)
  await setImmediate()
}
