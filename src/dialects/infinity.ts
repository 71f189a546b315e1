/** Infinity's own routes. Its embeddings are OpenAI's. */
import { z } from 'zod'
import { EmbeddingAnswer, embeddingAnswer } from './answers/embedding-answer.ts'
import { Usage, newId, unixSeconds, usage } from './answers/envelope.ts'
import { LabelScores, labelScores } from './answers/label-scores.ts'
import { RerankAnswer, rerankAnswer } from './answers/rerank-answer.ts'
import type { Endpoint } from './dialect.ts'
import { endpoint } from './endpoint.ts'
import { EXAMPLE_IMAGE, EXAMPLE_SOUND } from './example-media.ts'
import { TEXT_FIELDS } from './openai.ts'
import { CLASSIFY_FIELDS, readClassifyRequest } from './requests/classify-request.ts'
import { EMBED_FIELDS, embedAny, readEmbedAnyRequest } from './requests/embed-request.ts'
import type { MediaModality } from './requests/read-media.ts'
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
export const legacyImages = legacyMedia('image')
export const legacyAudio = legacyMedia('audio')

function legacyMedia(modality: MediaModality): Endpoint {
  const source = { fields: TEXT_FIELDS, modality } as const
  return endpoint({
    routes: [`/embeddings_${modality}`],
    docs: {
      summary: `Embeds ${modality === 'image' ? 'images' : 'audio'}, by address, as data URIs or in base64`,
      request: z.looseObject({ input: z.union([z.string(), z.array(z.string())]), ...EMBED_FIELDS }),
      response: EmbeddingAnswer,
      example: { input: [modality === 'image' ? EXAMPLE_IMAGE : EXAMPLE_SOUND] },
    },
    async answer({ body, pathModel }, service, options) {
      const request = await readEmbedAnyRequest({ ...source, body, pathModel, service, options })
      return embeddingAnswer(await embedAny(request.task, service, options), request)
    },
  })
}
