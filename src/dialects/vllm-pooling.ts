/** vLLM's pooling: the vectors of tokens, or of texts. */
import { z } from 'zod'
import type { CallOptions, Service } from '../task.ts'
import { encodeColumns } from './answers/embedding-answer.ts'
import { Usage, newId, unixSeconds, usage } from './answers/envelope.ts'
import { findServed } from './answers/served-model.ts'
import type { EncodedVector } from './encode-vectors.ts'
import { endpoint } from './endpoint.ts'
import { TEXT_FIELDS } from './openai.ts'
import type { EmbedRequest } from './requests/embed-request.ts'
import { EMBED_FIELDS, TEXTS, multiTask, readEmbedRequest } from './requests/embed-request.ts'
import { readBody } from './requests/read-body.ts'

// What texts are for is said by other fields here.
const { task: _prompt, ...FIELDS } = EMBED_FIELDS
const PoolingBody = z.looseObject({ ...FIELDS, task: z.enum(['token_embed', 'embed']).nullish() })

const Vector = z.union([z.array(z.number()), z.string()])

export const pooling = endpoint({
  routes: ['/pooling'],
  docs: {
    summary: 'The vectors of tokens (task token_embed, the default), or of texts (embed)',
    request: PoolingBody.extend({ input: TEXTS }),
    response: z.object({
      id: z.string(),
      object: z.literal('list'),
      created: z.int(),
      model: z.string(),
      data: z.array(
        z.object({
          index: z.int(),
          object: z.literal('pooling'),
          data: z.union([Vector, z.array(Vector)]),
        }),
      ),
      usage: Usage,
    }),
    example: { model: 'any', input: ['Hello world'], task: 'token_embed' },
  },
  async answer({ body, pathModel }, service, options) {
    const { task, ...fields } = readBody(PoolingBody, body)
    const purpose = task === 'embed' ? 'embed' : 'embed_tokens'
    const source = { body: fields, fields: TEXT_FIELDS, pathModel, service, options, purpose } as const
    const request = await readEmbedRequest(source)
    const pool = purpose === 'embed' ? poolTexts : poolTokens
    const { model, promptTokens, data } = await pool(request, service, options)
    return {
      id: newId('pool'),
      object: 'list',
      created: unixSeconds(),
      model: request.name ?? model,
      data: data.map((item, index) => ({ index, object: 'pooling', data: item })),
      usage: usage(promptTokens),
    }
  },
})

/** One encoding: the first that was asked for. */
async function encode(
  vectors: Float32Array,
  dimensions: number,
  { encodings }: EmbedRequest,
): Promise<EncodedVector[]> {
  const [column] = await encodeColumns(vectors, dimensions, encodings.formats.slice(0, 1))
  return column?.vectors ?? []
}

async function poolTexts(request: EmbedRequest, service: Service, options: CallOptions) {
  const result = await service.embed(request.task, options)
  return { ...result, data: await encode(result.vectors, result.dimensions, request) }
}

/** Those by which tokens are compared, of a model that was made for it. */
async function poolTokens(request: EmbedRequest, service: Service, options: CallOptions) {
  const task = multiTask(request.task)
  const named = findServed(service, task.model)
  const meant = named === undefined ? service.models() : [named]
  const isCompared = meant.some(({ capabilities }) => capabilities.includes('multi_vector'))
  if (isCompared) {
    const result = await service.embedMulti(task, options)
    return { ...result, data: await encodeEach(result.vectors, result.dimensions, request) }
  }
  const result = await service.embedTokens({ ...task, kind: 'embed_tokens' }, options)
  return { ...result, data: await encodeEach(result.tokens, result.width, request) }
}

async function encodeEach(
  texts: readonly Float32Array[],
  dimensions: number,
  request: EmbedRequest,
): Promise<EncodedVector[][]> {
  const encoded = []
  for (const vectors of texts) encoded.push(await encode(vectors, dimensions, request))
  return encoded
}
