import { ThreadClient } from '../base/thread-client.ts'
import type { TokenizerSpec } from '../model/spec.ts'
import type {
  PairFirsts,
  Prompt,
  RowOptions,
  TokenizeCalls,
  TokenizedQuery,
  TokenizedRows,
} from './protocol.ts'

export type { Prompt, RowOptions, TokenizedQuery, TokenizedRows } from './protocol.ts'

/** Texts to rows of ids. Throws `text_too_long` or `invalid_request`, naming the item. */
export interface Tokenizer {
  readonly texts: (texts: readonly string[], prompt: Prompt, options: RowOptions) => Promise<TokenizedRows>
  /** To be given to every `pairs` call of its request. */
  readonly query: (text: string, options: RowOptions) => Promise<TokenizedQuery>
  readonly pairs: (
    first: PairFirsts,
    second: readonly string[],
    options: RowOptions,
  ) => Promise<TokenizedRows>
}

/** One thread holds the tokenizers of all models; the native library spreads their work over the cores. */
export class TokenizerThread {
  #thread = new ThreadClient<TokenizeCalls>(new URL('./thread.ts', import.meta.url), 'tokenizer')
  readonly #specs: TokenizerSpec[] = []
  #reopening: Promise<unknown> | undefined

  async open(spec: TokenizerSpec): Promise<Tokenizer> {
    const tokenizer = this.#specs.push(spec) - 1
    await this.#thread.call('open', { tokenizer, spec })
    return {
      texts: (texts, prompt, options) => this.#call('texts', { tokenizer, texts, prompt, options }),
      query: (text, options) => this.#call('query', { tokenizer, text, options }),
      pairs: (first, second, options) => this.#call('pairs', { tokenizer, first, second, options }),
    }
  }

  close(): Promise<void> {
    return this.#thread.close()
  }

  /** A thread that died is started again, and the call made once more: tokenizing changes nothing but the reply. */
  async #call<K extends 'texts' | 'query' | 'pairs'>(
    kind: K,
    ask: TokenizeCalls[K]['ask'],
  ): Promise<TokenizeCalls[K]['reply']> {
    try {
      return await this.#thread.call(kind, ask)
    } catch (error) {
      if (this.#thread.alive && this.#reopening === undefined) throw error
    }
    this.#reopening ??= this.#reopen().finally(() => (this.#reopening = undefined))
    await this.#reopening
    return this.#thread.call(kind, ask)
  }

  async #reopen(): Promise<void> {
    this.#thread = new ThreadClient<TokenizeCalls>(new URL('./thread.ts', import.meta.url), 'tokenizer')
    await Promise.all(this.#specs.map((spec, tokenizer) => this.#thread.call('open', { tokenizer, spec })))
  }
}
