import { z } from 'zod'
import type { EmbedResult } from '../../task.ts'
import type { EncodedVector } from '../encode-vectors.ts'
import { encodeVectors } from '../encode-vectors.ts'
import type { EmbedRequest, Encodings } from '../requests/embed-request.ts'
import { Usage, newId, unixSeconds, usage } from './envelope.ts'

const NUMBERS_OR_TEXT = z.union([z.array(z.number()), z.string()])

export const EmbeddingAnswer = z.object({
  id: z.string(),
  object: z.literal('list'),
  /** As it was asked for. */
  model: z.string(),
  /** Unix seconds. */
  created: z.int(),
  data: z.array(
    z.object({
      object: z.literal('embedding'),
      index: z.int(),
      /** Numbers, base64, or where several encodings were asked for each by its name. */
      embedding: z.union([NUMBERS_OR_TEXT, z.record(z.string(), NUMBERS_OR_TEXT)]),
    }),
  ),
  usage: Usage,
})

/** OpenAI's list of embeddings. */
export async function embeddingAnswer(
  result: EmbedResult,
  { name, encodings }: Pick<EmbedRequest, 'name' | 'encodings'>,
) {
  const embeddings = await encodeAll(result, encodings)
  return {
    id: newId('embd'),
    object: 'list',
    // as the client spelt it, for some compare
    model: name ?? result.model,
    created: unixSeconds(),
    data: embeddings.map((embedding, index) => ({ object: 'embedding', index, embedding })),
    usage: usage(result.promptTokens),
  }
}

async function encodeAll({ vectors, dimensions }: EmbedResult, { formats, areMany }: Encodings) {
  const columns = await encodeColumns(vectors, dimensions, formats)
  const [first] = columns
  if (!areMany && first !== undefined) return first.vectors
  const count = vectors.length / dimensions
  return Array.from({ length: count }, (_, index) =>
    Object.fromEntries(columns.map(({ name, vectors }) => [name, vectors[index]])),
  )
}

/** All vectors in each encoding. */
export async function encodeColumns(
  vectors: Float32Array,
  dimensions: number,
  formats: Encodings['formats'],
): Promise<{ readonly name: string; readonly vectors: EncodedVector[] }[]> {
  const columns = []
  for (const { name, format } of formats) {
    columns.push({ name, vectors: await encodeVectors(vectors, dimensions, format) })
  }
  return columns
}
