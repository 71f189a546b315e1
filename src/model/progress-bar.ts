import type { Progress } from './fetch-progress.ts'

/** What of a terminal's stream is used. */
export interface BarStream {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  write(text: string): unknown
}

export interface ProgressBar {
  readonly update: (progress: Progress) => void
  /** Leaves an empty line behind. */
  readonly clear: () => void
}

const BAR_CELLS = 24

/** One line for all the models being fetched; nothing at all where the stream is no terminal. `now` in milliseconds. */
export function openProgressBar(stream: BarStream, now = () => performance.now()): ProgressBar {
  if (stream.isTTY !== true) return { update: () => {}, clear: () => {} }
  const models = new Map<string, { progress: Progress; readonly before: number }>()
  const startMs = now()
  const draw = (text: string) => {
    // The cursor goes back to the start, so that a log line that comes next covers the bar.
    stream.write(`\r${text.slice(0, Math.max(0, (stream.columns ?? 80) - 1))}\x1b[K\r`)
  }
  const update = (progress: Progress) => {
    models.set(progress.model, {
      progress,
      before: models.get(progress.model)?.before ?? progress.doneBytes,
    })
    draw(describe([...models.values()], now() - startMs))
  }
  return { update, clear: () => draw('') }
}

function describe(models: readonly { progress: Progress; before: number }[], elapsedMs: number): string {
  const sum = (of: (model: { progress: Progress; before: number }) => number) =>
    models.reduce((total, model) => total + of(model), 0)
  const done = sum(({ progress }) => progress.doneBytes)
  const total = sum(({ progress }) => progress.totalBytes)
  const share = total === 0 ? 1 : Math.min(1, done / total)
  const cells = '#'.repeat(Math.floor(share * BAR_CELLS)).padEnd(BAR_CELLS, '.')
  const [first] = models
  const what = models.length === 1 ? first?.progress.model : `${models.length} models`
  const bytesPerMs = elapsedMs === 0 ? 0 : Math.max(0, done - sum(({ before }) => before)) / elapsedMs
  const left = bytesPerMs === 0 ? '' : `, ${Math.ceil((total - done) / bytesPerMs / 1000)} s left`
  const percent = Math.floor(share * 100)
  return `${what} [${cells}] ${percent} %, ${megabytes(done)} of ${megabytes(total)} MB${left}`
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}
