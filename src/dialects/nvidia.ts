/** NVIDIA's reranking: logits, best first. */
import { z } from 'zod'
import { Usage, usage } from './answers/envelope.ts'
import { rank } from './answers/rerank-answer.ts'
import { endpoint } from './endpoint.ts'
import { RERANK_FIELDS, readRerankRequest } from './requests/rerank-request.ts'

const Passage = z.union([z.looseObject({ text: z.string() }), z.string()])

export const ranking = endpoint({
  routes: ['/v1/ranking', '/v1/retrieval/*/reranking'],
  docs: {
    summary: 'Reranks passages, as NVIDIA is asked: logits, best first',
    request: z.looseObject({ ...RERANK_FIELDS, query: Passage, passages: z.array(Passage) }),
    response: z.object({ rankings: z.array(z.object({ index: z.int(), logit: z.number() })), usage: Usage }),
    example: {
      query: { text: 'What is a panda?' },
      passages: [{ text: 'hi' }, { text: 'The giant panda is a bear.' }],
    },
  },
  async answer({ body, pathModel }, service, options) {
    const request = readRerankRequest({ body, fields: ['passages', 'documents'], pathModel })
    const result = await service.rerank(request.task, options)
    const ranked = rank(result, { ...request, rawScores: true })
    return {
      rankings: ranked.map(({ index, score }) => ({ index, logit: score })),
      usage: usage(result.promptTokens),
    }
  },
})
