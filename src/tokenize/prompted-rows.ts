/** Pairs as a prompt puts them: what the model is asked begins and ends each row, whatever is cut between. */
import type { Tokenizer } from 'tokenizers'
import { ServerError } from '../errors.ts'
import type { PairPrompt } from '../model/spec.ts'
import { cutText } from './cut-text.ts'
import type { EncodedText } from './encode-long.ts'
import { encodeTexts } from './encode-long.ts'
import type { Row } from './pack-rows.ts'
import { packRows } from './pack-rows.ts'
import type { RowOptions, SideLimit, TokenizedRows } from './protocol.ts'
import type { PromptRenderer } from './render-prompt.ts'
import { makeRenderer } from './render-prompt.ts'
import { capSide, expectRoom, expectTruncation, rowLimit, tellTokens } from './rows.ts'

/** Part of the room that a query in a piece of its own may take, however short its document (mxbai-rerank, FlagEmbedding). */
const QUERY_SHARE = 3 / 4

/** Texts that tokenize unlike each other: what their prompts end with alike is no part of them. */
const FILLERS = ['0', '1 2 3 4'] as const

export class PromptedPairs {
  readonly #native: Tokenizer
  readonly #prompt: PairPrompt
  readonly #renderer: PromptRenderer

  /**
   * Throws `model_unsupported` for a chat template that cannot be used, `model_invalid` where the prompt alone takes all of the
   * `maxTokens` of a row.
   */
  static async open(native: Tokenizer, prompt: PairPrompt, maxTokens = Infinity): Promise<PromptedPairs> {
    const renderer = await makeRenderer(prompt)
    const { instruction } = prompt
    const pieces = renderer.render({ query: '', document: '', instruction })
    const encoded = await encodeTexts(native, pieces, { needed: maxTokens, keep: 'right' })
    const tokens = encoded.reduce((sum, { length }) => sum + length, 0)
    if (tokens >= maxTokens) {
      const message = `its prompt takes ${tokens} tokens, which leaves no room in rows of ${maxTokens}`
      throw new ServerError('model_invalid', message)
    }
    return new PromptedPairs(native, prompt, renderer)
  }

  private constructor(native: Tokenizer, prompt: PairPrompt, renderer: PromptRenderer) {
    this.#native = native
    this.#prompt = prompt
    this.#renderer = renderer
  }

  /** `queries`: one that all pairs share, or one for each. Throws `text_too_long` or `invalid_request`, naming the item. */
  async rows(
    queries: readonly string[],
    documents: readonly string[],
    options: RowOptions,
  ): Promise<TokenizedRows> {
    const instruction = options.instruction ?? this.#prompt.instruction
    const call = new PromptedCall(this.#native, this.#renderer, { instruction, options })
    return packRows(await call.rows(queries, documents), options)
  }
}

interface CallContext {
  readonly instruction: string | undefined
  readonly options: RowOptions
}

interface Side {
  readonly text: string
  readonly isCut: boolean
}

interface Asked {
  readonly query: Side
  readonly document: Side
  readonly index: number
}

interface Room {
  /** Ids of pieces that are the same for all pairs; empty where a query or a document goes. */
  readonly fixed: readonly (readonly number[])[]
  /** Tokens of one row that they leave. */
  readonly tokens: number
  /** Tokens of a prompt around two empty texts. */
  readonly prompt: number
}

/** One call's pairs, which share an instruction and limits. */
class PromptedCall {
  readonly #native: Tokenizer
  readonly #renderer: PromptRenderer
  readonly #instruction: string | undefined
  readonly #options: RowOptions
  #ending: Promise<readonly number[]> | undefined

  constructor(native: Tokenizer, renderer: PromptRenderer, { instruction, options }: CallContext) {
    this.#native = native
    this.#renderer = renderer
    this.#instruction = instruction
    this.#options = options
  }

  async rows(queries: readonly string[], documents: readonly string[]): Promise<Row[]> {
    const room = await this.#measure()
    const { sides } = this.#options
    const firsts = await this.#cap(queries, sides?.first)
    const seconds = await this.#cap(documents, sides?.second)
    const pairs = seconds.map((document, index): Asked => {
      return { query: firsts[firsts.length === 1 ? 0 : index] as Side, document, index }
    })
    const { query, document } = this.#renderer
    const rendered = pairs.map((pair) => this.#render(pair.query.text, pair.document.text))
    const encoded = await this.#encode(rendered.map((pieces) => pieces[document] as string))
    const shared = firsts.length === 1 ? rendered.slice(0, 1) : rendered
    const questions =
      query === document ? [] : await this.#encode(shared.map((pieces) => pieces[query] as string))
    return Promise.all(
      pairs.map((pair, index) => {
        const question = questions[questions.length === 1 ? 0 : index]
        return this.#row(pair, { room, question, asked: encoded[index] as EncodedText })
      }),
    )
  }

  async #row(
    pair: Asked,
    { room, question, asked }: { room: Room; question: EncodedText | undefined; asked: EncodedText },
  ): Promise<Row> {
    const { query, document } = this.#renderer
    const questionTokens = question?.length ?? 0
    const total = questionTokens + asked.length
    const isLong = total > room.tokens
    const questionIds = question === undefined ? [] : this.#capQuestion(question, room, pair.index)
    if (isLong) {
      const tokens = total + rowLimit(this.#options).tokens - room.tokens
      expectTruncation({ index: pair.index, tokens, exact: asked.exact }, this.#options)
    }
    const left = Math.max(0, room.tokens - questionIds.length)
    const ids = asked.length <= left ? asked.ids : await this.#cut(pair, asked, left)
    const parts = room.fixed.map((fixed, piece) =>
      piece === document ? ids : piece === query ? questionIds : fixed,
    )
    const tokens = parts.reduce((sum, part) => sum + part.length, 0)
    return {
      parts,
      typeStart: undefined,
      unpooledTokens: 0,
      textTokens: Math.max(0, tokens - room.prompt),
      truncated: isLong || questionIds.length < questionTokens || pair.query.isCut || pair.document.isCut,
    }
  }

  /** The piece with the query, which may not take all the room. Throws `text_too_long` where nothing is to be cut. */
  #capQuestion({ ids, length, exact }: EncodedText, room: Room, index: number): readonly number[] {
    const { noun, firstIndex, truncate } = this.#options
    const share = Math.floor(QUERY_SHARE * room.tokens)
    if (length > share && truncate === 'none') {
      throw new ServerError(
        'text_too_long',
        `the query of ${noun} ${firstIndex + index} has ${tellTokens(length, exact)} tokens with what is asked of it; ` +
          `of the ${room.tokens} that query and document may have together a query may take ${share}, and truncation is off`,
      )
    }
    return ids.slice(0, share)
  }

  /** The document's piece in `left` tokens: its end stays, for there the model answers. */
  async #cut(pair: Asked, asked: EncodedText, left: number): Promise<readonly number[]> {
    const ending = await (this.#ending ??= this.#findEnding())
    const { ids } = this.#options.truncate === 'left' ? await this.#cutBeginning(pair, left) : asked
    if (ids.length <= left) return ids
    const kept = Math.max(0, left - ending.length)
    return [...ids.slice(0, kept), ...ending.slice(ending.length - (left - kept))]
  }

  /** With the end of the document alone, so that what stands before it is whole. */
  async #cutBeginning({ query, document }: Asked, left: number): Promise<EncodedText> {
    const bare = await this.#encodePiece(query.text, '')
    const text = await cutText(this.#native, document.text, { tokens: left - bare.length, keep: 'left' })
    return this.#encodePiece(query.text, text)
  }

  /** What every prompt's piece ends with after the document (sentence-transformers 6.2, Transformer module). */
  async #findEnding(): Promise<readonly number[]> {
    const [one, other] = await Promise.all(FILLERS.map((filler) => this.#encodePiece(filler, filler)))
    const ids = one?.ids ?? []
    const others = other?.ids ?? []
    let count = 0
    while (count < ids.length && ids.at(-1 - count) === others.at(-1 - count)) count++
    return ids.slice(ids.length - count)
  }

  async #measure(): Promise<Room> {
    const { query, document } = this.#renderer
    const encoded = await this.#encode(this.#render('', ''))
    const fixed = encoded.map(({ ids }, piece) => (piece === query || piece === document ? [] : ids))
    const prompt = encoded.reduce((sum, { length }) => sum + length, 0)
    expectRoom(this.#options, prompt)
    const { tokens, words } = rowLimit(this.#options)
    if (prompt >= tokens && this.#options.instruction !== undefined) {
      const message = `the instruction leaves no room for query and document: with it the prompt has ${prompt} tokens; ${words}`
      throw new ServerError('invalid_request', message)
    }
    const taken = fixed.reduce((sum, ids) => sum + ids.length, 0)
    return { fixed, tokens: Math.max(0, tokens - taken), prompt }
  }

  /** Texts cut to what their side may have by itself. */
  #cap(texts: readonly string[], limit: SideLimit | undefined): Promise<Side[]> {
    const maxTokens = limit?.maxTokens
    if (maxTokens === undefined) return Promise.resolve(texts.map((text) => ({ text, isCut: false })))
    const keep = this.#options.truncate === 'left' ? 'left' : 'right'
    return Promise.all(
      texts.map(async (text, index): Promise<Side> => {
        const [encoded] = await encodeTexts(this.#native, [text], { needed: maxTokens, keep })
        if (encoded === undefined || encoded === capSide(encoded, { limit, index }, this.#options))
          return { text, isCut: false }
        return { text: await cutText(this.#native, text, { tokens: maxTokens, keep }), isCut: true }
      }),
    )
  }

  async #encodePiece(query: string, document: string): Promise<EncodedText> {
    const pieces = this.#render(query, document)
    const [encoded] = await this.#encode([pieces[this.#renderer.document] as string])
    return encoded as EncodedText
  }

  #render(query: string, document: string): readonly string[] {
    return this.#renderer.render({ query, document, instruction: this.#instruction })
  }

  #encode(texts: readonly string[]): Promise<EncodedText[]> {
    return encodeTexts(this.#native, texts, { needed: rowLimit(this.#options).tokens, keep: 'right' })
  }
}
