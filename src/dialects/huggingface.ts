/** Hugging Face's inference endpoints and SageMaker: one address, and the shape of the body says what is wanted. */
import { z } from 'zod'
import { isGiven, isRecord } from '../base/json-value.ts'
import type { Capability, Service } from '../task.ts'
import { teiErrors } from './answers/error-shapes.ts'
import { findServed } from './answers/served-model.ts'
import { rerankV1 } from './cohere.ts'
import type { Endpoint, EndpointRequest } from './dialect.ts'
import { embeddings } from './openai.ts'
import { EMBED_FIELDS, TEXTS } from './requests/embed-request.ts'
import { fieldsOf } from './requests/read-body.ts'
import { classifyAll } from './tei-predict.ts'
import { embed, embedAll, parametersOf, rerank, similarity } from './tei.ts'

export const byShape: Endpoint = {
  routes: [
    '/',
    '/invocations',
    '/models/*',
    '/pipeline/feature-extraction/*',
    '/pipeline/sentence-similarity/*',
  ],
  method: 'POST',
  jobOutput: 'list',
  errors: teiErrors,
  docs: {
    summary:
      'By the shape of the body: similarity (`inputs.source_sentence`), reranking (`query`), or what the model does with `inputs`',
    request: z.looseObject({ inputs: TEXTS, parameters: z.looseObject({}).nullish(), ...EMBED_FIELDS }),
    response: z.union([z.array(z.unknown()), z.looseObject({})]),
    example: { inputs: ['Hello world'] },
  },
  answer: (request, service, options) => choose(request, service)(request, service, options),
}

function choose({ body, pathModel }: EndpointRequest, service: Service): Endpoint['answer'] {
  const fields = fieldsOf(body)
  const inputs = fields['inputs']
  if (isRecord(inputs) && 'source_sentence' in inputs) return similarity.answer
  if (isGiven(fields['query'])) return isGiven(fields['texts']) ? rerank.answer : rerankV1.answer
  if (isGiven(fields['input'])) return embeddings.answer
  const can = (capability: Capability) => isAble(service, pathModel ?? fields['model'], capability)
  const isCompared = !can('embed') && !can('classify') && can('multi_vector')
  if (!can('embed') && !isCompared) return classifyAll
  const { answer } = isCompared ? embedAll : embed
  // Settings stand beside the texts, or apart.
  return (request, ...rest) => answer({ ...request, body: { ...fields, ...parametersOf(body) } }, ...rest)
}

/** Whether the model named does it, or, where none that is served is named, any does. */
function isAble(service: Service, name: unknown, capability: Capability): boolean {
  const named = findServed(service, name)
  const meant = named === undefined ? service.models() : [named]
  return meant.some(({ capabilities }) => capabilities.includes(capability))
}
