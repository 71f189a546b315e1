import { z } from 'zod'
import { shortenFloat32 } from '../../base/float-text.ts'
import { isRecord } from '../../base/json-value.ts'
import type { RerankResult } from '../../task.ts'
import type { RerankRequest } from '../requests/rerank-request.ts'
import { Usage, newId, unixSeconds, usage } from './envelope.ts'

export interface Ranked {
  readonly index: number
  readonly score: number
}

/** The best `topN`, best first; equal scores in the order of the documents. */
export function rank({ scores, logits }: RerankResult, { rawScores, topN }: RerankRequest): Ranked[] {
  const values = rawScores ? logits : scores
  return Array.from(values, (score, index) => ({ index, score }))
    .sort((a, b) => b.score - a.score || a.index - b.index)
    .slice(0, topN)
    .map(({ index, score }) => ({ index, score: shortenFloat32(score) }))
}

const Meta = z.object({
  api_version: z.object({ version: z.string() }),
  billed_units: z.object({ search_units: z.int(), input_tokens: z.int(), total_tokens: z.int() }),
  tokens: z.object({ input_tokens: z.int(), output_tokens: z.int() }),
})

export const RerankAnswer = z.object({
  id: z.string(),
  object: z.literal('rerank'),
  model: z.string(),
  created: z.int(),
  results: z.array(
    z.object({
      index: z.int(),
      relevance_score: z.number(),
      /** Only where asked for. */
      document: z.union([z.string(), z.looseObject({ text: z.string() })]).optional(),
    }),
  ),
  usage: Usage,
  meta: Meta,
})

/** For clients of Cohere, Jina, vLLM, Together and Infinity. `shape`: of a document in the results. */
export function rerankAnswer(result: RerankResult, request: RerankRequest, shape: 'text' | 'object') {
  const { name, withDocuments } = request
  const show = (index: number) =>
    shape === 'text' ? request.documents.texts[index] : documentObject(request, index)
  return {
    id: newId('rr'),
    object: 'rerank',
    model: name ?? result.model,
    created: unixSeconds(),
    results: rank(result, request).map(({ index, score }) => ({
      index,
      relevance_score: score,
      ...(withDocuments ? { document: show(index) } : {}),
    })),
    usage: usage(result.promptTokens),
    meta: meta(result.promptTokens),
  }
}

/** An object comes back as it was given; `text` is always there. */
function documentObject({ documents }: RerankRequest, index: number): object {
  const given = documents.given[index]
  const text = documents.texts[index]
  if (!isRecord(given)) return { text }
  return typeof given['text'] === 'string' ? given : { ...given, text }
}

export function meta(tokens: number) {
  return {
    api_version: { version: '2' },
    billed_units: { search_units: 1, input_tokens: tokens, total_tokens: tokens },
    tokens: { input_tokens: tokens, output_tokens: 0 },
  }
}
