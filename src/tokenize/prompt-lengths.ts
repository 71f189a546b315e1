/** Prompts whose lengths are kept: a model has a few of its own, but clients may send any. */
const MAX_PROMPTS = 16

/** Tokens of prompts, each counted once while it is in use. */
export class PromptLengths {
  readonly #count: (prompt: string) => Promise<number>
  /** The one not asked for longest comes first. */
  readonly #lengths = new Map<string, number>()

  constructor(count: (prompt: string) => Promise<number>) {
    this.#count = count
  }

  async of(prompt: string): Promise<number> {
    const length = this.#lengths.get(prompt) ?? (await this.#count(prompt))
    this.#lengths.delete(prompt)
    this.#lengths.set(prompt, length)
    const [oldest] = this.#lengths.keys()
    if (this.#lengths.size > MAX_PROMPTS && oldest !== undefined) this.#lengths.delete(oldest)
    return length
  }
}
