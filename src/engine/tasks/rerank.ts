import { ServerError } from '../../errors.ts'
import type { CallOptions, RerankResult, RerankTask } from '../../task.ts'
import type { RowOptions, TokenizedQuery } from '../../tokenize/tokenizer.ts'
import { expectReadable } from '../expect-readable.ts'
import { findPairPrompt } from '../find-pair-prompt.ts'
import { splitScores } from '../finish.ts'
import type { ServedModel } from '../served-model.ts'
import { factsOf, pairTexts, rowOptions, sizesOf } from '../task-rows.ts'
import { textSideOf } from '../text-side.ts'
import { tokenRulesOf } from '../token-kind.ts'
import { rerankTokens } from './rerank-tokens.ts'

export async function rerank(
  served: ServedModel,
  task: RerankTask,
  options: CallOptions,
): Promise<RerankResult> {
  const { documents, truncate } = task
  const queries = typeof task.query === 'string' ? [task.query] : task.query
  expectReadable(queries, 'query')
  expectReadable(documents, 'document')
  if (typeof task.query !== 'string' && queries.length !== documents.length) {
    throw new ServerError(
      'invalid_request',
      `there are ${documents.length} documents and ${queries.length} queries; one query is for all documents, or each has its own`,
    )
  }
  const { spec } = served.model
  const { tokenizer, spec: tokenizerSpec } = textSideOf(served)
  const rules = tokenRulesOf(spec)
  if (rules !== undefined) return rerankTokens(served, { task, queries, rules }, options)
  const { prompt, instruction, told, ignoredPrompt } = findPairPrompt(spec, task)
  const isAsked = tokenizerSpec.pairPrompt !== undefined
  const isReadOnce = typeof task.query === 'string' && !isAsked
  const [first = ''] = queries
  // Tokenized once, when the first documents are.
  let shared: Promise<TokenizedQuery> | undefined
  const firsts = async (from: number, to: number) => {
    const prompted = (query: string) => prompt.text + query
    if (typeof task.query !== 'string') return queries.slice(from, to).map(prompted)
    // Read anew with each document, in one text.
    if (isAsked) return queries
    return (shared ??= tokenizer.query(
      prompted(task.query),
      pairOptions(served, task, { noun: 'query', firstIndex: 0 }),
    ))
  }
  const result = await served.lane.submit({
    noun: 'document',
    // A query that all documents share is tokenized once, with its prompt; a model that is asked reads all of it each time.
    sizes: sizesOf(
      documents,
      isReadOnce ? {} : { prompt: told, others: documents.map((_, n) => queries[n] ?? first) },
    ),
    texts: typeof task.query === 'string' ? documents : pairTexts(queries, documents),
    wantsTokens: false,
    tokenizeFirst: truncate === 'none',
    tokenize: async (from, to) => {
      const rowsAsked = { ...pairOptions(served, task, { noun: 'document', firstIndex: from }), instruction }
      return tokenizer.pairs(await firsts(from, to), documents.slice(from, to), rowsAsked)
    },
    options,
  })
  return { ...factsOf(served, result, ignoredPrompt), ...splitScores(result.rows, 1) }
}

function pairOptions(
  served: ServedModel,
  task: RerankTask,
  items: { noun: string; firstIndex: number },
): RowOptions {
  return {
    ...rowOptions(served, task, items),
    sides: {
      first: { name: 'query', maxTokens: task.maxQueryTokens },
      second: { name: 'document', maxTokens: task.maxDocumentTokens },
    },
  }
}
