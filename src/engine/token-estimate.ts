import type { AdmissionRequest } from './admission.ts'
import type { Row } from './row.ts'

/** Of English by the vocabularies of BERT and its kin; other texts tell by themselves. */
const FIRST = { characters: 400, tokens: 100 }
/** Tokens after which what was seen before counts half. */
const MEMORY = 65_536

type KnownTokens = readonly (number | undefined)[]

export interface EstimatedItems {
  readonly estimates: readonly number[]
  /** As of a submission. */
  readonly knownTokens?: KnownTokens | undefined
  /** What tells them apart, where that is known. */
  readonly texts: readonly string[] | undefined
}

/** What texts will be in tokens, before they are tokenized: as those were that have been. */
export class TokenEstimate {
  readonly #maxTokens: number
  #characters = FIRST.characters
  #tokens = FIRST.tokens
  #isBacked = false

  /** `maxTokens`: that a row may have, by the model's files and by its table of positions. */
  constructor(maxTokens: number) {
    this.#maxTokens = maxTokens
  }

  /** Whether any text has told. */
  get isBacked(): boolean {
    return this.#isBacked
  }

  /** For texts of so many characters, tokens of each: whole numbers, 1 at least. `known`: of those that need no estimate. */
  of(sizes: readonly number[], known: KnownTokens = []): number[] {
    const ratio = this.#tokens / this.#characters
    return sizes.map(
      (size, index) => known[index] ?? Math.min(this.#maxTokens, Math.max(1, Math.ceil(size * ratio))),
    )
  }

  /** A text of so many characters has become so many tokens, none of which was cut away. */
  note(characters: number, tokens: number): void {
    // One that may have been cut does not tell.
    if (tokens >= this.#maxTokens || characters === 0) return
    this.#isBacked = true
    this.#characters += characters
    this.#tokens += tokens
    if (this.#tokens < MEMORY) return
    this.#characters /= 2
    this.#tokens /= 2
  }

  /** Of rows that were not cut; `sizes`: characters of all items of their request. */
  noteRows(sizes: readonly number[], rows: readonly Pick<Row, 'index' | 'ids' | 'media'>[]): void {
    for (const { index, ids, media } of rows) {
      if (media === undefined) this.note(sizes[index] as number, ids.length)
    }
  }

  /**
   * What a request may be refused by that is to be answered within a time: nothing before any text has told, unless there is
   * nothing to estimate. Of identical items the device computes one.
   */
  deadlineOf(
    withinMs: number | undefined,
    { estimates, knownTokens = [], texts }: EstimatedItems,
  ): Pick<AdmissionRequest, 'withinMs' | 'ownTokens'> {
    const isBacked = this.#isBacked || estimates.every((_, index) => knownTokens[index] !== undefined)
    if (withinMs === undefined || !isBacked) return { withinMs: undefined }
    return { withinMs, ownTokens: sumDistinct(estimates, texts) }
  }
}

function sumDistinct(estimates: readonly number[], texts: readonly string[] | undefined): number {
  const seen = new Set<string>()
  return estimates.reduce((sum, tokens, index) => {
    const text = texts?.[index]
    if (text === undefined) return sum + tokens
    if (seen.has(text)) return sum
    seen.add(text)
    return sum + tokens
  }, 0)
}
