/** What Text Embeddings Inference says of the model it serves; clients take their batch sizes from it. */
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import type { ModelInfo } from '../task.ts'
import { teiErrors } from './answers/error-shapes.ts'
import { expectServed } from './answers/served-model.ts'
import type { Endpoint } from './dialect.ts'

const Labels = z.object({
  id2label: z.record(z.string(), z.string()),
  label2id: z.record(z.string(), z.int()),
})

const Info = z.object({
  model_id: z.string(),
  model_sha: z.string().nullable(),
  model_dtype: z.string(),
  model_type: z.union([
    z.object({ embedding: z.object({ pooling: z.string() }) }),
    z.object({ reranker: Labels }),
    z.object({ classifier: Labels }),
  ]),
  max_concurrent_requests: z.int(),
  max_input_length: z.int(),
  max_batch_tokens: z.int(),
  max_batch_requests: z.int().nullable(),
  max_client_batch_size: z.int(),
  auto_truncate: z.boolean(),
  tokenization_workers: z.int(),
  version: z.string(),
  sha: z.string().nullable(),
  docker_label: z.string().nullable(),
})

/** Of texts in one request, as clients are advised: the queue takes more. */
const ADVISED_BATCH = 2048

export const info: Endpoint = {
  routes: ['/info', '/info/*'],
  method: 'GET',
  jobOutput: 'list',
  errors: teiErrors,
  docs: { summary: 'The first model served, or the one named in the path', response: Info },
  async answer({ pathModel }, service) {
    const [first] = service.models()
    const model = pathModel === undefined ? first : expectServed(service, pathModel)
    if (model === undefined) throw new ServerError('model_not_found', 'no model is served')
    return describe(model)
  },
}

function describe(model: ModelInfo): z.infer<typeof Info> {
  return {
    model_id: model.id,
    model_sha: null,
    model_dtype: model.dtype === 'fp32' ? 'float32' : model.dtype === 'fp16' ? 'float16' : model.dtype,
    model_type: typeOf(model),
    max_concurrent_requests: model.queueSize,
    max_input_length: model.maxTokens,
    max_batch_tokens: model.maxBatchTokens,
    max_batch_requests: model.batchSize,
    max_client_batch_size: Math.min(ADVISED_BATCH, model.queueSize),
    auto_truncate: true,
    tokenization_workers: 1,
    version: '1.9.3',
    sha: null,
    docker_label: null,
  }
}

function typeOf({ capabilities, pooling = 'mean', labels }: ModelInfo): z.infer<typeof Info>['model_type'] {
  if (capabilities.some((capability) => capability.startsWith('embed'))) return { embedding: { pooling } }
  const names = {
    id2label: Object.fromEntries(labels.map((label, index) => [String(index), label])),
    label2id: Object.fromEntries(labels.map((label, index) => [label, index])),
  }
  return capabilities.includes('rerank') ? { reranker: names } : { classifier: names }
}
