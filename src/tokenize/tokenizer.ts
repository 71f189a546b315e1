import { RevivingThread } from '../base/reviving-thread.ts'
import { ServerError } from '../errors.ts'
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
  /** False: the tokenizer frames pairs in a way that we cannot follow. */
  readonly joinsPairs: boolean
  /** As a runner's. */
  readonly healthy: boolean
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
  readonly #thread = new RevivingThread<TokenizeCalls>(new URL('./thread.ts', import.meta.url), 'tokenizer')
  #count = 0

  /** Throws `model_invalid` or `model_unsupported`. */
  async open(spec: TokenizerSpec): Promise<Tokenizer> {
    const tokenizer = this.#count++
    const { joinsPairs } = await this.#thread.setUp((thread) => thread.call('open', { tokenizer, spec }))
    const thread = this.#thread
    return {
      joinsPairs,
      get healthy() {
        return thread.healthy
      },
      texts: (texts, prompt, options) => this.#call('texts', { tokenizer, texts, prompt, options }),
      query: (text, options) => this.#call('query', { tokenizer, text, options }),
      pairs: (first, second, options) => this.#call('pairs', { tokenizer, first, second, options }),
    }
  }

  close(): Promise<void> {
    return this.#thread.close()
  }

  /** A call whose thread died is made once more: tokenizing changes nothing but the reply. */
  async #call<K extends 'texts' | 'query' | 'pairs'>(
    kind: K,
    ask: TokenizeCalls[K]['ask'],
  ): Promise<TokenizeCalls[K]['reply']> {
    try {
      return await this.#thread.call(kind, ask)
    } catch (error) {
      if (!(error instanceof ServerError) || error.code !== 'thread_died') throw error
      return this.#thread.call(kind, ask)
    }
  }
}
