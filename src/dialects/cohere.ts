/** Cohere's embed; and rerank as Cohere, Jina, Voyage, vLLM, Together, Azure and DashScope are asked: one schema of all. */
import { z } from 'zod'
import { isGiven } from '../base/json-value.ts'
import { ServerError } from '../errors.ts'
import type { CallOptions, Service } from '../task.ts'
import { encodeColumns } from './answers/embedding-answer.ts'
import { newId } from './answers/envelope.ts'
import { RerankAnswer, meta, rerankAnswer } from './answers/rerank-answer.ts'
import type { Endpoint, EndpointRequest } from './dialect.ts'
import type { EncodedVector } from './encode-vectors.ts'
import { endpoint } from './endpoint.ts'
import { EMBED_FIELDS, embedAny, readEmbedAnyRequest } from './requests/embed-request.ts'
import { fieldsOf } from './requests/read-body.ts'
import type { RerankRequest } from './requests/rerank-request.ts'
import { RERANK_FIELDS, readRerankRequest } from './requests/rerank-request.ts'

export const DOCUMENT_FIELDS = ['documents', 'docs', 'texts', 'passages', 'sentences', 'input'] as const

const DOCUMENTS = z.array(z.union([z.string(), z.looseObject({})]))
const RerankRequestBody = z.looseObject({ documents: DOCUMENTS, ...RERANK_FIELDS })

const RERANK_EXAMPLE = {
  model: 'any',
  query: 'What is a panda?',
  documents: ['hi', 'The giant panda is a bear.', { text: 'A river.' }],
  top_n: 2,
  return_documents: true,
}

const VoyageData = z.array(
  z.object({ index: z.int(), relevance_score: z.number(), document: z.string().optional() }),
)

export const rerankV1 = endpoint({
  routes: ['/v1/rerank', '/v1/reranks'],
  docs: {
    summary: 'Reranks documents; a document comes back as an object, in data as text',
    request: RerankRequestBody,
    response: RerankAnswer.extend({ object: z.literal('list'), data: VoyageData }),
    example: RERANK_EXAMPLE,
  },
  async answer(asked, service, options) {
    const { request, result } = await rerank(asked, service, options)
    const answer = rerankAnswer(result, request, 'object')
    // Voyage's clients look there, and want the document itself.
    const data = answer.results.map(({ index, relevance_score }) => ({
      index,
      relevance_score,
      ...(request.withDocuments ? { document: request.documents.texts[index] } : {}),
    }))
    // Voyage's too, and one of them insists on the word.
    return { ...answer, object: 'list', data }
  },
})

export const rerankV2 = endpoint({
  routes: ['/v2/rerank'],
  docs: {
    summary: 'Reranks documents; a document comes back as an object',
    request: RerankRequestBody,
    response: RerankAnswer,
    example: RERANK_EXAMPLE,
  },
  async answer(asked, service, options) {
    const { request, result } = await rerank(asked, service, options)
    return rerankAnswer(result, request, 'object')
  },
})

async function rerank({ body, pathModel }: EndpointRequest, service: Service, options: CallOptions) {
  const request: RerankRequest = readRerankRequest({ body, fields: DOCUMENT_FIELDS, pathModel })
  return { request, result: await service.rerank(request.task, options) }
}

const VECTORS = z.union([z.array(z.array(z.number())), z.array(z.string())])
const EmbedRequestBody = z.looseObject({
  texts: z.array(z.string()).nullish(),
  images: z.array(z.string()).nullish(),
  inputs: z.array(z.looseObject({})).nullish(),
  ...EMBED_FIELDS,
})

const EmbedByType = z.object({
  id: z.string(),
  response_type: z.literal('embeddings_by_type'),
  embeddings: z.record(z.string(), VECTORS),
  texts: z.array(z.string()),
  images: z.array(z.unknown()),
  meta: z.looseObject({ billed_units: z.looseObject({ input_tokens: z.int() }) }),
})

const EMBED_EXAMPLE = {
  model: 'any',
  texts: ['Hello world'],
  input_type: 'search_document',
  embedding_types: ['float'],
}

export const embedV2 = endpoint({
  routes: ['/v2/embed'],
  docs: {
    summary: 'Embeds texts or images, as Cohere is asked',
    request: EmbedRequestBody,
    response: EmbedByType,
    example: EMBED_EXAMPLE,
  },
  answer: embed,
})

export const embedV1: Endpoint = {
  ...embedV2,
  routes: ['/v1/embed'],
  docs: {
    summary: 'Embeds texts or images; without embedding_types as plain lists',
    request: EmbedRequestBody,
    response: z.union([
      EmbedByType,
      EmbedByType.extend({ response_type: z.literal('embeddings_floats'), embeddings: VECTORS }),
    ]),
    example: EMBED_EXAMPLE,
  },
  async answer(request, service, options) {
    const types = fieldsOf(request.body)['embedding_types']
    const answer = await embed(request, service, options)
    const { float } = answer.embeddings
    const isPlain = !isGiven(types) || isEmptyList(types)
    if (!isPlain || float === undefined) return answer
    return { ...answer, response_type: 'embeddings_floats', embeddings: float }
  },
}

async function embed({ body }: EndpointRequest, service: Service, options: CallOptions) {
  const source = { body, service, options } as const
  const request = await readEmbedAnyRequest(
    hasImages(body)
      ? { ...source, fields: ['images'], modality: 'image' }
      : { ...source, fields: ['texts', 'inputs', 'input'] },
  )
  const { task, encodings } = request
  const { vectors, dimensions, promptTokens } = await embedAny(task, service, options)
  const columns = await encodeColumns(vectors, dimensions, encodings.formats)
  const embeddings: Readonly<Record<string, EncodedVector[]>> = Object.fromEntries(
    columns.map(({ name, vectors }) => [name, vectors]),
  )
  return {
    id: newId('emb'),
    response_type: 'embeddings_by_type',
    embeddings,
    texts: task.kind === 'embed' ? task.texts : task.items.filter((item) => typeof item === 'string'),
    // Theirs tell width and height, which nobody here is told.
    images: [],
    meta: meta(promptTokens),
  }
}

/** Throws `invalid_request` where texts are given besides: nothing says in which order the vectors are wanted. */
function hasImages(body: unknown): boolean {
  const fields = fieldsOf(body)
  const isFilled = (name: string) => isGiven(fields[name]) && !isEmptyList(fields[name])
  if (!isFilled('images')) return false
  const other = ['texts', 'inputs', 'input'].find(isFilled)
  if (other === undefined) return true
  throw new ServerError(
    'invalid_request',
    `images and ${other} are both given; send one of them, or inputs, whose items have a content each`,
  )
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0
}
