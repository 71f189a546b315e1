/** DeepInfra's inference route: the model in the path, scores or vectors in the order of the texts. */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { shortenFloat32 } from '../base/float-text.ts'
import { isGiven } from '../base/json-value.ts'
import type { CallOptions, Service } from '../task.ts'
import { deepinfraErrors } from './answers/error-shapes.ts'
import { DOCUMENT_FIELDS } from './cohere.ts'
import type { EndpointRequest } from './dialect.ts'
import { encodeVectors } from './encode-vectors.ts'
import { endpoint } from './endpoint.ts'
import { EMBED_FIELDS, readEmbedRequest } from './requests/embed-request.ts'
import { fieldsOf } from './requests/read-body.ts'
import { RERANK_FIELDS, readRerankRequest } from './requests/rerank-request.ts'

const Common = {
  input_tokens: z.int(),
  request_id: z.string(),
  inference_status: z.object({
    status: z.literal('succeeded'),
    runtime_ms: z.int(),
    cost: z.number(),
    tokens_generated: z.int(),
    tokens_input: z.int(),
  }),
}

export const inference = endpoint({
  routes: ['/v1/inference/*'],
  errors: deepinfraErrors,
  docs: {
    summary: 'Scores of documents in their order, or vectors of `inputs`',
    request: z.looseObject({
      ...EMBED_FIELDS,
      ...RERANK_FIELDS,
      documents: z.array(z.string()).nullish(),
      inputs: z.array(z.string()).nullish(),
    }),
    response: z.union([
      z.object({ scores: z.array(z.number()), ...Common }),
      z.object({ embeddings: z.array(z.array(z.number())), ...Common }),
    ]),
    example: { queries: ['What is a panda?'], documents: ['hi', 'The giant panda is a bear.'] },
  },
  answer: (request, service, options) => {
    const { query, queries } = fieldsOf(request.body)
    const answer = isGiven(query) || isGiven(queries) ? rerank : embed
    return answer(request, service, options)
  },
})

async function rerank({ body, pathModel }: EndpointRequest, service: Service, options: CallOptions) {
  const request = readRerankRequest({ body, fields: DOCUMENT_FIELDS, pathModel })
  const { scores, logits, promptTokens, timing } = await service.rerank(request.task, options)
  const values = request.rawScores ? logits : scores
  return { scores: Array.from(values, shortenFloat32), ...common(promptTokens, timing.runMs) }
}

async function embed({ body, pathModel }: EndpointRequest, service: Service, options: CallOptions) {
  const { task } = await readEmbedRequest({ body, fields: ['inputs', 'input'], pathModel, service, options })
  const { vectors, dimensions, promptTokens, timing } = await service.embed(task, options)
  const embeddings = await encodeVectors(vectors, dimensions, { dtype: 'float', base64: false })
  return { embeddings, ...common(promptTokens, timing.runMs) }
}

function common(tokens: number, runMs: number) {
  return {
    input_tokens: tokens,
    request_id: randomUUID(),
    inference_status: {
      status: 'succeeded',
      runtime_ms: Math.round(runMs),
      cost: 0,
      tokens_generated: 0,
      tokens_input: tokens,
    },
  }
}
