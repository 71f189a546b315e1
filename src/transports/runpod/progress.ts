/** Jobs smaller than this are over before anybody asks how far they are. */
const MIN_ITEMS = 256
const INTERVAL_MS = 2000

/** Tells the platform how far one job is: the latest state only, one post at a time, none after the job's end. */
export class JobProgress {
  readonly #post: (output: object) => Promise<void>
  #latest: object | undefined
  #timer: NodeJS.Timeout | undefined
  #posting: Promise<void> | undefined
  #ended = false

  /** `post` never rejects. */
  constructor(post: (output: object) => Promise<void>) {
    this.#post = post
  }

  /** Items of the job. */
  readonly report = (done: number, total: number): void => {
    if (this.#ended || total < MIN_ITEMS) return
    this.#latest = { object: 'progress', done, total }
    if (this.#posting === undefined) this.#arm()
  }

  /** Resolves when no post is under way any more: one that overtook the result would undo it. */
  async end(): Promise<void> {
    this.#ended = true
    clearTimeout(this.#timer)
    await this.#posting
  }

  #arm(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      void this.#send()
    }, INTERVAL_MS)
  }

  async #send(): Promise<void> {
    const output = this.#latest
    if (output === undefined) return
    this.#latest = undefined
    this.#posting = this.#post(output)
    await this.#posting
    this.#posting = undefined
    if (!this.#ended && this.#latest !== undefined) this.#arm()
  }
}
