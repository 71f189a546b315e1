/** A token for each character: its code. It keeps what it was asked for. */
import type { Token } from '../../src/task.ts'
import type {
  DecodeOptions,
  Prompt,
  RowOptions,
  TokenizeOptions,
  TokenizedChunks,
  TokenizedQuery,
  TokenizedRows,
  Tokenizer,
} from '../../src/tokenize/tokenizer.ts'
import { joinIds } from './rows.ts'

interface TokenizerCall {
  readonly kind: 'texts' | 'query' | 'pairs' | 'chunks'
  readonly texts: readonly string[]
  readonly options: RowOptions
  readonly prompt?: Prompt
}

export class FakeTokenizer implements Tokenizer {
  readonly joinsPairs: boolean
  healthy = true
  readonly calls: TokenizerCall[] = []
  readonly tokenizeCalls: { readonly texts: readonly string[]; readonly options: TokenizeOptions }[] = []
  readonly decodeCalls: {
    readonly ids: readonly (readonly number[])[]
    readonly options: DecodeOptions
  }[] = []

  constructor(joinsPairs = true) {
    this.joinsPairs = joinsPairs
  }

  readonly texts = async (
    texts: readonly string[],
    prompt: Prompt,
    options: RowOptions,
  ): Promise<TokenizedRows> => {
    this.calls.push({ kind: 'texts', texts, prompt, options })
    return joinIds(texts.map((text) => idsOf(prompt.text + text)))
  }

  readonly query = async (text: string, options: RowOptions): Promise<TokenizedQuery> => {
    this.calls.push({ kind: 'query', texts: [text], options })
    const ids = Int32Array.from(idsOf(text))
    return { ids, length: ids.length, exact: true }
  }

  readonly pairs = async (
    first: TokenizedQuery | readonly string[],
    second: readonly string[],
    options: RowOptions,
  ): Promise<TokenizedRows> => {
    this.calls.push({ kind: 'pairs', texts: second, options })
    const firsts = 'ids' in first ? second.map(() => [...first.ids]) : first.map(idsOf)
    return joinIds(second.map((text, index) => [...(firsts[index] ?? []), ...idsOf(text)]))
  }

  readonly chunks = async (
    texts: readonly string[],
    prompt: Prompt,
    options: RowOptions,
  ): Promise<TokenizedChunks> => {
    this.calls.push({ kind: 'chunks', texts, prompt, options })
    const ids = texts.map(idsOf)
    const promptIds = Array.from(prompt.text, codeOf)
    const chunkBounds = new Int32Array(texts.length + 1)
    chunkBounds[0] = promptIds.length
    for (const [n, chunk] of ids.entries()) chunkBounds[n + 1] = (chunkBounds[n] as number) + chunk.length
    return { ...joinIds([[...promptIds, ...ids.flat()]]), chunkBounds }
  }

  readonly tokenize = async (texts: readonly string[], options: TokenizeOptions): Promise<Token[][]> => {
    this.tokenizeCalls.push({ texts, options })
    return texts.map((text) =>
      Array.from(options.prompt.text + text, (character, index) => ({
        id: codeOf(character),
        text: character,
        special: false,
        start: index,
        stop: index + 1,
      })),
    )
  }

  readonly decode = async (
    ids: readonly (readonly number[])[],
    options: DecodeOptions,
  ): Promise<string[]> => {
    this.decodeCalls.push({ ids, options })
    return ids.map((list) => String.fromCodePoint(...list))
  }
}

/** An empty text is one token too, for no row is empty. */
function idsOf(text: string): number[] {
  return text === '' ? [0] : Array.from(text, codeOf)
}

function codeOf(character: string): number {
  return character.codePointAt(0) ?? 0
}
