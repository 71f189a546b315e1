/** Voyage's route of its own. Its embeddings of texts are OpenAI's, its rerank Cohere's. */
import { z } from 'zod'
import { EmbeddingAnswer, embeddingAnswer } from './answers/embedding-answer.ts'
import { Usage } from './answers/envelope.ts'
import { endpoint } from './endpoint.ts'
import { EXAMPLE_IMAGE } from './example-media.ts'
import { EMBED_FIELDS, ITEMS, embedAny, readEmbedAnyRequest } from './requests/embed-request.ts'

export const multimodal = endpoint({
  routes: ['/v1/multimodalembeddings'],
  docs: {
    summary: 'Embeds texts and images, an item each',
    request: z.looseObject({ inputs: ITEMS, ...EMBED_FIELDS }),
    response: EmbeddingAnswer.extend({
      usage: Usage.extend({ text_tokens: z.int(), image_pixels: z.int(), video_pixels: z.int() }),
    }),
    example: {
      model: 'any',
      inputs: [
        { content: [{ type: 'text', text: 'A panda.' }] },
        { content: [{ type: 'image_base64', image_base64: EXAMPLE_IMAGE }] },
      ],
      input_type: 'document',
    },
  },
  async answer({ body, pathModel }, service, options) {
    const request = await readEmbedAnyRequest({
      body,
      fields: ['inputs', 'input'],
      pathModel,
      service,
      options,
    })
    const answer = await embeddingAnswer(await embedAny(request.task, service, options), request)
    // Its clients add these up; patches of images are counted as tokens here, and pixels not at all.
    const counts = { text_tokens: answer.usage.prompt_tokens, image_pixels: 0, video_pixels: 0 }
    return { ...answer, usage: { ...answer.usage, ...counts } }
  },
})
