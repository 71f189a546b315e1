/** Documents that wait to be scored: in short turns, so that a large rerank delays nobody else. */
import { cancelled } from '../errors.ts'
import type { MaxSim } from './max-sim.ts'
import type { Turns } from './turns.ts'

/** Milliseconds of work before others get their turn. */
const TURN_MS = 2

export interface ScoreLineOptions {
  /** Numbers of token vectors that may be on their way, or wait, before no more should be asked for. */
  readonly maxNumbers: number
  /** Shared by all lines: each by itself would take its turn in the same round of the event loop. */
  readonly turns: Turns
  readonly signal: AbortSignal | undefined
}

export interface WaitingDocument {
  readonly query: MaxSim
  /** [tokens, width] */
  readonly vectors: Float32Array
  /** Those that were announced for it. */
  readonly numbers: number
  readonly onScore: (score: number) => void
}

export class ScoreLine {
  readonly #options: ScoreLineOptions
  readonly #waiting: WaitingDocument[] = []
  #numbers = 0
  #work: Promise<void> | undefined
  #isClosed = false
  /** Told after every document. */
  #onScore = Promise.withResolvers<void>()

  constructor(options: ScoreLineOptions) {
    this.#options = options
  }

  /** So many numbers will come. */
  announce(numbers: number): void {
    this.#numbers += numbers
  }

  add(document: WaitingDocument): void {
    this.#waiting.push(document)
    this.#work ??= this.#run()
    // Whoever waits for it learns of a failure.
    this.#work.catch(() => {})
  }

  /** Once so few numbers are on their way that more may be asked for. Throws `cancelled`, after `close` too. */
  async room(): Promise<void> {
    while (this.#numbers > this.#options.maxNumbers && !this.#isClosed)
      await Promise.race([this.#onScore.promise, ...(this.#work === undefined ? [] : [this.#work])])
    if (this.#isClosed) throw cancelled()
  }

  /** Once all that came is scored. Throws `cancelled`. */
  async end(): Promise<void> {
    await this.#work
  }

  /** What waits is not scored any more: nobody will ask for it. */
  close(): void {
    this.#isClosed = true
    this.#waiting.length = 0
    this.#onScore.resolve()
  }

  async #run(): Promise<void> {
    // What the device gave is delivered first: it waits for its next batch.
    let turnStart = await this.#nextTurn()
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const { query, vectors, numbers, onScore } = next
      const scoring = query.score(vectors)
      let step = scoring.next()
      while (step.done !== true) {
        if (performance.now() - turnStart > TURN_MS) turnStart = await this.#nextTurn()
        if (this.#isClosed) return
        step = scoring.next()
      }
      onScore(step.value)
      this.#numbers -= numbers
      this.#onScore.resolve()
      this.#onScore = Promise.withResolvers()
    }
    this.#work = undefined
  }

  /** When it began, in milliseconds. */
  async #nextTurn(): Promise<number> {
    await this.#options.turns.next()
    if (this.#options.signal?.aborted) throw cancelled()
    return performance.now()
  }
}
