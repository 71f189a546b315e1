import type { Log } from '../base/log.ts'

/** How far a model's files are. */
export interface Progress {
  readonly model: string
  readonly doneBytes: number
  readonly totalBytes: number
}

export interface ProgressOptions {
  readonly model: string
  readonly log: Log
  /** Called about ten times a second. */
  readonly onProgress: ((progress: Progress) => void) | undefined
  /** What the platform allows from the start of the process to its readiness; undefined where nobody counts. */
  readonly initTimeoutMs: number | undefined
  /** Milliseconds since the process started. */
  readonly now: () => number
}

const EVENT_MS = 5_000
const REPORT_MS = 100
/** The share of the time that fetching may take: the model must be loaded in the rest. */
const NEAR = 0.8

/** Counts what arrives and tells of it, to the log and to whoever draws a bar. */
export class FetchProgress {
  readonly #options: ProgressOptions
  /** Bytes by path: there now, and there when the file was begun. */
  readonly #files = new Map<string, { done: number; readonly before: number }>()
  #totalBytes = 0
  #startMs = 0
  #eventMs = 0
  #reportMs = 0
  #hasWarned = false

  constructor(options: ProgressOptions) {
    this.#options = options
  }

  start(totalBytes: number): void {
    this.#totalBytes = totalBytes
    this.#startMs = this.#eventMs = this.#options.now()
    this.#tell()
  }

  /** `done` bytes of a file are there. */
  report(path: string, done: number): void {
    this.#files.set(path, { done, before: this.#files.get(path)?.before ?? done })
    const nowMs = this.#options.now()
    if (nowMs - this.#reportMs >= REPORT_MS) this.#tell()
    if (nowMs - this.#eventMs >= EVENT_MS) this.#logProgress(nowMs)
  }

  /** Everything is there. Returns the milliseconds that it took. */
  end(): number {
    this.#tell()
    return this.#options.now() - this.#startMs
  }

  #logProgress(nowMs: number): void {
    this.#eventMs = nowMs
    const { model, log } = this.#options
    const doneBytes = this.#doneBytes()
    const percent = Math.floor((100 * doneBytes) / Math.max(1, this.#totalBytes))
    log('info', {
      event: 'model_fetch_progress',
      model,
      doneBytes,
      totalBytes: this.#totalBytes,
      percent,
    })
    this.#watchTime(nowMs)
  }

  /** A worker that is not ready in time is ended by the platform, and begins again: somebody should know before. */
  #watchTime(nowMs: number): void {
    const { model, log, initTimeoutMs } = this.#options
    if (initTimeoutMs === undefined || this.#hasWarned) return
    const before = this.#sum(({ before }) => before)
    const bytesPerMs = Math.max(0, this.#doneBytes() - before) / (nowMs - this.#startMs)
    const leftMs = bytesPerMs === 0 ? 0 : (this.#totalBytes - this.#doneBytes()) / bytesPerMs
    const finishMs = Math.round(nowMs + leftMs)
    if (finishMs <= initTimeoutMs * NEAR) return
    this.#hasWarned = true
    const seconds = Math.ceil(finishMs / NEAR / 60_000) * 60
    const advice = `set RUNPOD_INIT_TIMEOUT=${seconds} (seconds) or more, or use a cached model or a network volume`
    log('warn', { event: 'fetch_near_init_timeout', model, finishMs, initTimeoutMs, advice })
  }

  #tell(): void {
    this.#reportMs = this.#options.now()
    const { model, onProgress } = this.#options
    onProgress?.({ model, doneBytes: this.#doneBytes(), totalBytes: this.#totalBytes })
  }

  #doneBytes(): number {
    return this.#sum(({ done }) => done)
  }

  #sum(of: (file: { done: number; before: number }) => number): number {
    return [...this.#files.values()].reduce((sum, file) => sum + of(file), 0)
  }
}
