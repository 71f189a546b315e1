/** How language models are asked about a pair, as plain data. */

/** What a model that was taught to answer is asked about a pair, in place of the pair itself. */
export type PairPrompt = PiecesPrompt | ChatPrompt

/** `{query}`, `{document}` and `{instruction}` stand for the texts. */
export interface PiecesPrompt {
  readonly kind: 'pieces'
  /** Each is tokenized by itself, and the ids follow one another. */
  readonly pieces: readonly string[]
  /** What stands for `{instruction}` where there is one: it has an `{instruction}` of its own. */
  readonly instructionForm: string
  /** Undefined: nothing stands for it unless a client says what. */
  readonly instruction: string | undefined
  /** Blanks at the ends of query and document are left out. */
  readonly trims?: true
}

/** A chat template whose messages have the roles `query` and `document`, and `system` for the instruction. */
export interface ChatPrompt {
  readonly kind: 'chat'
  /** Jinja. */
  readonly template: string
  /** Where it stands, as errors say it. */
  readonly file: string
  /** What it is given besides the messages. */
  readonly variables: Readonly<Record<string, unknown>>
  /** Whether a message's content is a text, or a list of parts that have one. */
  readonly contents: 'flat' | 'structured'
  readonly instruction: string | undefined
}
