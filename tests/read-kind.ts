/** The row of a query or a document, as the service makes it of a model that compares tokens. */
import type { TokenKind } from '../src/engine/token-kind.ts'
import { findKindPrompt, kindRowOptions, tokenRulesOf } from '../src/engine/token-kind.ts'
import type { ModelSpec } from '../src/model/spec.ts'
import { tokenizerOf } from '../src/model/spec.ts'
import type { TokenizedRows, Tokenizer } from '../src/tokenize/tokenizer.ts'

interface Readable {
  readonly spec: ModelSpec
  readonly tokenizer: Tokenizer
}

/** Throws for a model that does not compare tokens. */
export function readKind({ spec, tokenizer }: Readable, text: string, task: string): Promise<TokenizedRows> {
  const rules = tokenRulesOf(spec)
  if (rules === undefined) throw new Error(`${spec.name} compares no tokens`)
  const kind: TokenKind = task === 'query' ? 'query' : 'document'
  const options = {
    noun: 'text',
    firstIndex: 0,
    truncate: tokenizerOf(spec).truncationSide,
    maxTokens: Infinity,
    vocabularySize: Infinity,
  }
  const { prompt } = findKindPrompt(spec, kind, undefined)
  const lengths = { tokenizerTokens: tokenizerOf(spec).maxTokens, deviceTokens: Infinity }
  return tokenizer.texts([text], prompt, kindRowOptions(options, rules[kind], lengths))
}
