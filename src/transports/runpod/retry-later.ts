/** What a call to the platform throws where its caller must wait before it calls again. No client ever sees it. */
export class RetryLater extends Error {
  override readonly name = 'RetryLater'
  readonly retryMs: number
  /** HTTP status; undefined where there was no answer. */
  readonly status: number | undefined

  constructor(message: string, retryMs: number, options: { status?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.retryMs = retryMs
    this.status = options.status
  }
}
