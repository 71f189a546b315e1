import { z } from 'zod'
import { Usage, usage } from './answers/envelope.ts'
import { rank } from './answers/rerank-answer.ts'
import { endpoint } from './endpoint.ts'
import { RERANK_FIELDS, readRerankRequest } from './requests/rerank-request.ts'

const Ranked = z.object({
  index: z.int(),
  score: z.number(),
  input: z.unknown().optional(),
  object: z.literal('rank_result'),
})

export const reranking = endpoint({
  routes: ['/v1/reranking'],
  docs: {
    summary: 'Reranks documents, as Mixedbread is asked',
    request: z.looseObject({ input: z.array(z.union([z.string(), z.looseObject({})])), ...RERANK_FIELDS }),
    response: z.object({
      object: z.literal('list'),
      model: z.string(),
      data: z.array(Ranked),
      usage: Usage,
      top_k: z.int(),
      return_input: z.boolean(),
    }),
    example: {
      query: 'What is a panda?',
      input: ['hi', 'The giant panda is a bear.'],
      top_k: 1,
      return_input: true,
    },
  },
  async answer({ body }, service, options) {
    const request = readRerankRequest({ body, fields: ['input', 'documents'] })
    const result = await service.rerank(request.task, options)
    const { withDocuments, documents, topN } = request
    return {
      object: 'list',
      model: request.name ?? result.model,
      data: rank(result, request).map(({ index, score }) => ({
        index,
        score,
        ...(withDocuments ? { input: documents.given[index] } : {}),
        object: 'rank_result',
      })),
      usage: usage(result.promptTokens),
      top_k: topN,
      return_input: withDocuments,
    }
  },
})
