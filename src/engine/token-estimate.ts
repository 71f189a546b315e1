/** Of English by the vocabularies of BERT and its kin; other texts tell by themselves. */
const FIRST = { characters: 400, tokens: 100 }
/** Tokens after which what was seen before counts half. */
const MEMORY = 65_536

/** What texts will be in tokens, before they are tokenized: as those were that have been. */
export class TokenEstimate {
  readonly #maxTokens: number
  #characters = FIRST.characters
  #tokens = FIRST.tokens
  #isBacked = false

  /** `maxTokens`: that a row may have. */
  constructor(maxTokens: number) {
    this.#maxTokens = maxTokens
  }

  /** Whether any text has told. */
  get isBacked(): boolean {
    return this.#isBacked
  }

  /** For texts of so many characters, tokens of each: whole numbers, 1 at least. */
  of(sizes: readonly number[]): number[] {
    const ratio = this.#tokens / this.#characters
    return sizes.map((size) => Math.min(this.#maxTokens, Math.max(1, Math.ceil(size * ratio))))
  }

  /** A text of so many characters has become so many tokens. */
  note(characters: number, tokens: number): void {
    // One that was cut does not tell.
    if (tokens >= this.#maxTokens || characters === 0) return
    this.#isBacked = true
    this.#characters += characters
    this.#tokens += tokens
    if (this.#tokens < MEMORY) return
    this.#characters /= 2
    this.#tokens /= 2
  }
}
