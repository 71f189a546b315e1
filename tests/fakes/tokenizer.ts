/** A token for each character: its code. It keeps what it was asked for. */
import type {
  Prompt,
  RowOptions,
  TokenizedQuery,
  TokenizedRows,
  Tokenizer,
} from '../../src/tokenize/tokenizer.ts'
import { joinIds } from './rows.ts'

interface TokenizerCall {
  readonly kind: 'texts' | 'query' | 'pairs'
  readonly texts: readonly string[]
  readonly options: RowOptions
  readonly prompt?: Prompt
}

export class FakeTokenizer implements Tokenizer {
  readonly joinsPairs: boolean
  healthy = true
  readonly calls: TokenizerCall[] = []

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
}

/** An empty text is one token too, for no row is empty. */
function idsOf(text: string): number[] {
  return text === '' ? [0] : Array.from(text, (character) => character.codePointAt(0) ?? 0)
}
