import { RevivingThread } from '../base/reviving-thread.ts'
import { ServerError, cancelled } from '../errors.ts'
import type { TokenizerSpec } from '../model/spec.ts'
import type { Token } from '../task.ts'
import { decodeLists } from './id-lists.ts'
import type {
  DecodeOptions,
  PairFirsts,
  Prompt,
  RowOptions,
  TokenizeCalls,
  TokenizeOptions,
  TokenizedChunks,
  TokenizedQuery,
  TokenizedRows,
} from './protocol.ts'
import { takeTexts } from './take-texts.ts'
import { buildTokens } from './token-columns.ts'

export type {
  DecodeCall,
  DecodeOptions,
  PairFirsts,
  Prompt,
  RowOptions,
  TokenizeOptions,
  TokenizedChunks,
  TokenizedQuery,
  TokenizedRows,
} from './protocol.ts'

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
  /** `texts` follow each other in one row; never cut: `text_too_long` names their tokens together. */
  readonly chunks: (texts: readonly string[], prompt: Prompt, options: RowOptions) => Promise<TokenizedChunks>
  /** For each text; nothing is cut. Throws `request_too_large` where an answer would hold too many tokens, `cancelled`. */
  readonly tokenize: (texts: readonly string[], options: TokenizeOptions) => Promise<readonly Token[][]>
  /** Throws `invalid_request` for an id that is not in the vocabulary, `cancelled`. */
  readonly decode: (ids: readonly (readonly number[])[], options: DecodeOptions) => Promise<string[]>
}

/** Tokens of one answer of `tokenize`: each is an object, a hundred bytes of memory and of JSON. */
const MAX_TOKENIZED = 524_288

/** One thread holds the tokenizers of all models; the native library spreads their work over the cores. */
export class TokenizerThread {
  readonly #thread: RevivingThread<TokenizeCalls>
  #count = 0

  constructor(file = new URL('./thread.ts', import.meta.url)) {
    this.#thread = new RevivingThread<TokenizeCalls>(file, 'tokenizer')
  }

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
      chunks: (texts, prompt, options) => this.#call('chunks', { tokenizer, texts, prompt, options }),
      tokenize: (texts, options) => this.#tokenize(tokenizer, texts, options),
      decode: (ids, { skipSpecialTokens, ...call }) =>
        decodeLists(ids, call, (lists) => this.#call('decode', { tokenizer, lists, skipSpecialTokens })),
    }
  }

  close(): Promise<void> {
    return this.#thread.close()
  }

  async #tokenize(
    tokenizer: number,
    texts: readonly string[],
    { prompt, addSpecialTokens, signal }: TokenizeOptions,
  ): Promise<Token[][]> {
    const tokens: Token[][] = []
    let count = 0
    while (tokens.length < texts.length) {
      if (signal?.aborted) throw cancelled()
      const taken = takeTexts(texts, tokens.length, prompt.text)
      const columns = await this.#call('tokenize', { tokenizer, texts: taken, addSpecialTokens })
      count += columns.ids.length
      if (count > MAX_TOKENIZED) throw tooManyTokens(tokens.length + taken.length, count)
      tokens.push(...(await buildTokens(taken, columns)))
    }
    return tokens
  }

  #call<K extends Exclude<keyof TokenizeCalls, 'open'>>(
    kind: K,
    ask: TokenizeCalls[K]['ask'],
  ): Promise<TokenizeCalls[K]['reply']> {
    return this.#thread.callOnceMore(kind, ask)
  }
}

function tooManyTokens(textCount: number, tokens: number): ServerError {
  const texts = textCount === 1 ? 'text 0 has' : `texts 0 to ${textCount - 1} have`
  return new ServerError(
    'request_too_large',
    `${texts} ${tokens} tokens; a request to tokenize may have at most ${MAX_TOKENIZED}`,
  )
}
