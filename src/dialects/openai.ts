/** OpenAI's embeddings and models routes. */
import { z } from 'zod'
import type { ServerError } from '../errors.ts'
import { ERRORS } from '../errors.ts'
import type { ModelInfo } from '../task.ts'
import type { Endpoint } from './dialect.ts'
import { embeddingAnswer } from './embedding-answer.ts'
import { MODEL_NAME, readBody, readTexts } from './read-body.ts'

const EmbeddingsBody = z.looseObject({
  model: MODEL_NAME,
  input: z.unknown().optional(),
  encoding_format: z.enum(['float', 'base64']).nullish(),
  // clients send 0 for "as it is"
  dimensions: z.int().nonnegative().nullish(),
})

export const openaiEmbeddings: Endpoint = {
  routes: ['/v1/embeddings'],
  method: 'POST',
  jobOutput: 'list',
  errorBody: openaiErrorBody,
  async answer(body, service, options) {
    const {
      model,
      input,
      encoding_format: encoding,
      dimensions,
    } = readBody(EmbeddingsBody, body, 'the request')
    const texts = readTexts(input, { field: 'input', single: true })
    const name = model || undefined
    const task = { kind: 'embed', model: name, texts, dimensions: dimensions || undefined } as const
    return embeddingAnswer(await service.embed(task, options), name, encoding ?? 'float')
  },
}

export const openaiModels: Endpoint = {
  routes: ['/v1/models'],
  method: 'GET',
  jobOutput: 'bare',
  errorBody: openaiErrorBody,
  answer: async (_body, service) => ({ object: 'list', data: service.models().map(modelEntry) }),
}

export function openaiErrorBody({ code, message }: ServerError): object {
  return { error: { message, type: ERRORS[code].type, param: null, code } }
}

/** `owned_by` and `stats` are what Infinity's own client insists on. */
function modelEntry(info: ModelInfo) {
  return {
    id: info.id,
    object: 'model',
    created: info.readyAt,
    owned_by: 'infinity',
    aliases: info.aliases,
    capabilities: info.capabilities,
    ...(info.dimensions === undefined ? {} : { dimensions: info.dimensions }),
    max_tokens: info.maxTokens,
    dtype: info.dtype,
    dtype_requested: info.dtypeRequested,
    provider: info.provider,
    stats: {
      batch_size: info.batchSize,
      queued_items: info.stats.queuedItems,
      running_batches: info.stats.runningBatches,
    },
  }
}
