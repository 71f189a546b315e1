import type { BatchLimits } from './waiting-room.ts'

/**
 * How large a batch may be, lowered when the device runs out of memory, and never raised again beyond what it was seen to
 * hold. A batch's size is the smallest budget that would admit it: its tokens, or its padded tokens where those weigh more.
 */
export class BatchBudget {
  readonly #initial: BatchLimits
  /** The smallest batch that found no room, and the largest below it that ran afterwards. */
  #failed = Infinity
  #ran = 0
  #limits: BatchLimits

  constructor(limits: BatchLimits) {
    this.#initial = limits
    this.#limits = limits
  }

  get limits(): BatchLimits {
    return this.#limits
  }

  /** A batch with these lengths of rows found no room. One row alone says nothing: it runs whatever the budget is. */
  refuse(lengths: readonly number[]): void {
    const size = this.#sizeOf(lengths)
    if (lengths.length < 2 || size >= this.#failed) return
    this.#failed = size
    // What ran before may not run again: memory has become less, or lies in pieces.
    this.#ran = 0
    this.#update()
  }

  /** A batch with these lengths of rows has run. */
  confirm(lengths: readonly number[]): void {
    if (this.#failed === Infinity) return
    const size = this.#sizeOf(lengths)
    if (size >= this.#failed) return
    this.#ran = Math.max(this.#ran, size)
    this.#update()
  }

  #update(): void {
    const { maxTokens, maxPaddedTokens } = this.#initial
    // Until its halves have run: half of it. That is a token at least, for it had two rows.
    const lowered = Math.max(this.#ran, Math.floor(this.#failed / 2))
    const tokens = Math.min(maxTokens, lowered)
    this.#limits = {
      ...this.#initial,
      maxTokens: tokens,
      maxPaddedTokens: Math.min(maxPaddedTokens, Math.floor(tokens * this.#padding)),
    }
  }

  get #padding(): number {
    return this.#initial.maxPaddedTokens / this.#initial.maxTokens
  }

  #sizeOf(lengths: readonly number[]): number {
    const tokens = lengths.reduce((sum, length) => sum + length, 0)
    const paddedTokens = lengths.length * lengths.reduce((longest, length) => Math.max(longest, length), 0)
    return Math.max(tokens, Math.ceil(paddedTokens / this.#padding))
  }
}
