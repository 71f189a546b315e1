/** Jina's route of its own. Its embeddings are OpenAI's, its rerank Cohere's. */
import { z } from 'zod'
import { MultiVectorAnswer, multiVectorAnswer } from './answers/multi-vector-answer.ts'
import { endpoint } from './endpoint.ts'
import { TEXT_FIELDS } from './openai.ts'
import { EMBED_FIELDS, TEXTS, multiTask, readEmbedRequest } from './requests/embed-request.ts'

export const multiVector = endpoint({
  routes: ['/v1/multi-vector'],
  docs: {
    summary:
      'The vectors of a text’s tokens by which it is compared (ColBERT); input_type: query or document',
    request: z.looseObject({ input: TEXTS, ...EMBED_FIELDS }),
    response: MultiVectorAnswer,
    example: {
      model: 'any',
      input: ['What is a panda?'],
      input_type: 'query',
      embedding_type: 'float',
    },
  },
  async answer({ body, pathModel }, service, options) {
    const purpose = 'multi_vector'
    const request = await readEmbedRequest({
      body,
      fields: TEXT_FIELDS,
      pathModel,
      service,
      options,
      purpose,
    })
    return multiVectorAnswer(await service.embedMulti(multiTask(request.task), options), request)
  },
})
