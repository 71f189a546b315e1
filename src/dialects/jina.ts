/** Jina's route of its own. Its embeddings are OpenAI's, its rerank Cohere's. */
import { z } from 'zod'
import type { EmbedMultiTask, EmbedTask } from '../task.ts'
import { MultiVectorAnswer, multiVectorAnswer } from './answers/multi-vector-answer.ts'
import { endpoint } from './endpoint.ts'
import { TEXT_FIELDS } from './openai.ts'
import { EMBED_FIELDS, TEXTS, readEmbedRequest } from './requests/embed-request.ts'

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

/** What of a request to embed means something for vectors of tokens. */
export function multiTask(task: EmbedTask): EmbedMultiTask {
  const { model, texts, prompt, truncate, maxTokens, dimensions, normalize } = task
  return { kind: 'embed_multi', model, texts, prompt, truncate, maxTokens, dimensions, normalize }
}
