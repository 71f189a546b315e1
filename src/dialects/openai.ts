/** OpenAI's routes; of embeddings also as Jina, Voyage, Together, Infinity and LiteLLM ask for them. */
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import type { ModelInfo } from '../task.ts'
import { EmbeddingAnswer, embeddingAnswer } from './answers/embedding-answer.ts'
import { expectServed } from './answers/served-model.ts'
import type { Endpoint } from './dialect.ts'
import { endpoint } from './endpoint.ts'
import { EMBED_FIELDS, ITEMS, embedAny, readEmbedAnyRequest } from './requests/embed-request.ts'

/** Names of the texts, the likeliest first. */
export const TEXT_FIELDS = ['input', 'inputs', 'texts', 'text', 'sentences'] as const

export const EmbeddingsRequest = z.looseObject({ input: ITEMS, ...EMBED_FIELDS })

export const embeddings = endpoint({
  routes: ['/v1/embeddings'],
  docs: {
    summary: 'Embeds texts, and with models that can images and audio',
    request: EmbeddingsRequest,
    response: EmbeddingAnswer,
    example: { model: 'any', input: ['Hello world', 'A second text'], encoding_format: 'float' },
  },
  async answer({ body, pathModel }, service, options) {
    const request = await readEmbedAnyRequest({ body, fields: TEXT_FIELDS, pathModel, service, options })
    return embeddingAnswer(await embedAny(request.task, service, options), request)
  },
})

/** Azure's client names the model in the path. */
export const azureEmbeddings: Endpoint = {
  ...embeddings,
  routes: ['/openai/deployments/*/embeddings', '/deployments/*/embeddings'],
  docs: {
    summary: 'Embeds texts, as Azure OpenAI is asked',
    request: EmbeddingsRequest,
    response: EmbeddingAnswer,
    example: { input: 'Hello world' },
  },
}

const Model = z.looseObject({
  id: z.string(),
  object: z.literal('model'),
  created: z.int(),
  owned_by: z.string(),
  capabilities: z.array(z.string()),
  max_tokens: z.int(),
  stats: z.looseObject({}),
})

export const models = endpoint({
  routes: ['/v1/models'],
  method: 'GET',
  jobOutput: 'bare',
  docs: {
    summary: 'The models served',
    response: z.object({ object: z.literal('list'), data: z.array(Model) }),
  },
  answer: async (_asked, service) => ({ object: 'list', data: service.models().map(modelEntry) }),
})

export const model = endpoint({
  routes: ['/v1/models/*'],
  method: 'GET',
  docs: { summary: 'One model', response: Model },
  answer: async ({ pathModel = '' }, service) => modelEntry(expectServed(service, pathModel)),
})

/** What other servers under OpenAI's routes do, and this one never will. */
export const generation = endpoint({
  routes: ['/v1/chat/completions', '/v1/completions', '/v1/responses'],
  answer: async () => {
    throw new ServerError('route_not_found', 'this server embeds and reranks only')
  },
})

const EMBEDDING = ['embed', 'image_embed', 'audio_embed'] as const

/** `owned_by` and `stats` are what Infinity's own client insists on, `model_type` what Xinference's does. */
function modelEntry(info: ModelInfo) {
  const isEmbedding = EMBEDDING.some((capability) => info.capabilities.includes(capability))
  return {
    id: info.id,
    object: 'model',
    created: info.readyAt,
    owned_by: 'infinity',
    aliases: info.aliases,
    capabilities: info.capabilities,
    model_type: isEmbedding
      ? 'embedding'
      : info.capabilities.includes('rerank')
        ? 'rerank'
        : 'classification',
    ...(info.dimensions === undefined ? {} : { dimensions: info.dimensions }),
    ...(info.labels.length === 0 ? {} : { labels: info.labels }),
    prompts: info.prompts,
    ...(info.adapters.length === 0 ? {} : { adapters: info.adapters }),
    max_tokens: info.maxTokens,
    dtype: info.dtype,
    dtype_requested: info.dtypeRequested,
    provider: info.provider,
    max_batch_tokens: info.maxBatchTokens,
    stats: {
      batch_size: info.batchSize,
      queued_items: info.stats.queuedItems,
      running_batches: info.stats.runningBatches,
    },
  }
}
