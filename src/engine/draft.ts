import { modalityOf } from '../runtime/runner.ts'
import type { Modality } from '../task.ts'
import type { RowGroup } from './row-group.ts'
import type { BatchLimits } from './waiting-room.ts'

/** A batch this full is sent rather than searched for rows that still fit. */
const FULL_ENOUGH = 15 / 16

/** A batch being filled. */
export class Draft {
  readonly groups: RowGroup[] = []
  /** Tokens of the row that began it. */
  anchorLength = 0
  /** What reads the row that began it, and so all others. */
  modality: Modality = 'text'
  readonly limits: BatchLimits
  #tokens = 0
  #longest = 0

  constructor(limits: BatchLimits) {
    this.limits = limits
  }

  /** Whether no row fits, or none is worth the search. */
  get full(): boolean {
    return this.room <= 0 || this.#tokens >= this.limits.maxTokens * FULL_ENOUGH
  }

  /** Tokens that one more row may have; 0 where none fits. */
  get room(): number {
    const { maxRows, maxTokens, maxPaddedTokens } = this.limits
    const count = this.groups.length + 1
    if (count > maxRows || count * this.#longest > maxPaddedTokens) return 0
    return Math.min(maxTokens - this.#tokens, Math.floor(maxPaddedTokens / count))
  }

  /** As `room`, of a row that leaves some: see `BatchLimits`. */
  get sharedRoom(): number {
    const { sharedTokens = Infinity } = this.limits
    return Math.min(this.room, sharedTokens - this.#tokens)
  }

  add(group: RowGroup): void {
    if (this.groups.length === 0) {
      this.anchorLength = group.ids.length
      this.modality = modalityOf(group)
    }
    this.groups.push(group)
    this.#tokens += group.ids.length
    this.#longest = Math.max(this.#longest, group.ids.length)
  }
}
