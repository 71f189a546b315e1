/** Waits that a signal ends. */

export type Pause = (ms: number, signal: AbortSignal) => Promise<void>

/** Resolves after `ms`, or as soon as `signal` aborts. */
export const pause: Pause = async (ms, signal) => {
  if (signal.aborted) return
  const { promise, resolve } = Promise.withResolvers<void>()
  const wake = () => resolve()
  const timer = setTimeout(wake, ms)
  signal.addEventListener('abort', wake, { once: true })
  await promise
  clearTimeout(timer)
  signal.removeEventListener('abort', wake)
}

/** Resolves as soon as `signal` aborts. */
export async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
