import { firstAtLeast } from './first-at-least.ts'
import type { PendingRequest } from './pending-request.ts'

interface Entry {
  readonly request: PendingRequest
  /** Tokens that were left of it, or counted so, when it was put here; undefined while it is not. Only `ByTokensLeft` changes it. */
  left: number | undefined
}

/** Requests by what is left of them; of those with as many the one that came to have so many first. */
export class ByTokensLeft<E extends Entry> {
  readonly #alikeTokens: number
  readonly #entries = new Map<number, Set<E>>()
  /** The numbers present, ascending. */
  readonly #numbers: number[] = []

  /** `alikeTokens`: whoever has no more than so many left counts as having so many. */
  constructor(alikeTokens = 0) {
    this.#alikeTokens = alikeTokens
  }

  /** Puts a request where it belongs by now. */
  put(entry: E): void {
    const tokens = Math.max(entry.request.place.tokens, this.#alikeTokens)
    if (entry.left === tokens) return
    this.remove(entry)
    entry.left = tokens
    const entries = this.#entries.get(tokens)
    if (entries !== undefined) {
      entries.add(entry)
      return
    }
    this.#entries.set(tokens, new Set([entry]))
    this.#numbers.splice(firstAtLeast(this.#numbers, tokens), 0, tokens)
  }

  remove(entry: E): void {
    const { left } = entry
    if (left === undefined) return
    entry.left = undefined
    const entries = this.#entries.get(left)
    entries?.delete(entry)
    if (entries?.size !== 0) return
    this.#entries.delete(left)
    this.#numbers.splice(firstAtLeast(this.#numbers, left), 1)
  }

  /** Shows them, those with the fewest first, as long as `visit` says to go on. Any may be removed meanwhile, none put. */
  walk(visit: (entry: E) => boolean): void {
    for (let index = 0; ;) {
      const number = this.#numbers[index]
      if (number === undefined) return
      for (const entry of this.#entries.get(number) ?? []) if (!visit(entry)) return
      // Not the next index: numbers may be gone by now.
      index = firstAtLeast(this.#numbers, number + 1)
    }
  }
}
