const TICK_MS = 1000
const GAP_MS = 5000

export interface ThawOptions {
  /** Wall clock, in milliseconds: a frozen machine's monotonic clock may stand still. */
  readonly now: () => number
  readonly onThaw: (gapMs: number) => void
}

/**
 * Tells when this process was frozen for a while, as RunPod's FlashBoot does between jobs: connections are dead then, and
 * no error says so. A blocked event loop looks the same. The result ends the watch.
 */
export function watchThaw({ now, onThaw }: ThawOptions): () => void {
  let lastMs = now()
  const timer = setInterval(() => {
    const gapMs = now() - lastMs
    lastMs += gapMs
    if (gapMs > GAP_MS) onThaw(gapMs)
  }, TICK_MS)
  timer.unref()
  return () => clearInterval(timer)
}
