/** Infinity's own routes. Its embeddings are OpenAI's. */
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { EmbeddingAnswer } from './answers/embedding-answer.ts'
import { Usage, newId, unixSeconds, usage } from './answers/envelope.ts'
import { LabelScores, labelScores } from './answers/label-scores.ts'
import { RerankAnswer, rerankAnswer } from './answers/rerank-answer.ts'
import { endpoint } from './endpoint.ts'
import { CLASSIFY_FIELDS, readClassifyRequest } from './requests/classify-request.ts'
import { RERANK_FIELDS, readRerankRequest } from './requests/rerank-request.ts'

/** Its clients want a document back as the text that it was; those of the routes under `/v1` want an object. */
export const rerank = endpoint({
  routes: ['/rerank'],
  docs: {
    summary: 'Reranks documents; a document comes back as text',
    request: z.looseObject({ documents: z.array(z.string()), ...RERANK_FIELDS }),
    response: RerankAnswer,
    example: {
      query: 'What is a panda?',
      documents: ['hi', 'The giant panda is a bear.'],
      return_documents: true,
    },
  },
  async answer({ body }, service, options) {
    const request = readRerankRequest({ body, fields: ['documents', 'docs', 'passages', 'sentences'] })
    return rerankAnswer(await service.rerank(request.task, options), request, 'text')
  },
})

export const classify = endpoint({
  routes: ['/classify'],
  docs: {
    summary: 'Scores the labels of a classifier for each text, best first',
    request: z.looseObject({ input: z.union([z.string(), z.array(z.string())]), ...CLASSIFY_FIELDS }),
    response: z.object({
      id: z.string(),
      object: z.literal('classify'),
      model: z.string(),
      created: z.int(),
      data: z.array(LabelScores),
      usage: Usage,
    }),
    example: { input: ['A fine film.'] },
  },
  async answer({ body }, service, options) {
    const { name, task, topK, rawScores } = readClassifyRequest({
      body,
      fields: ['input', 'inputs', 'texts'],
    })
    const result = await service.classify(task, options)
    return {
      id: newId('cls'),
      object: 'classify',
      model: name ?? result.model,
      created: unixSeconds(),
      data: await labelScores(result, { topK, rawScores }),
      usage: usage(result.promptTokens),
    }
  },
})

/** Deprecated there as well: the modality is in the route. */
export const legacyMedia = endpoint({
  routes: ['/embeddings_image', '/embeddings_audio'],
  docs: { summary: 'Embeds images or audio: needs a model that does', response: EmbeddingAnswer },
  answer: async () => {
    throw new ServerError(
      'wrong_task',
      'no served model embeds images or audio; the models served read text only',
    )
  },
})
