import { z } from 'zod'
import type { EmbedMultiResult } from '../../task.ts'
import type { EmbedRequest } from '../requests/embed-request.ts'
import { encodeColumns } from './embedding-answer.ts'
import { Usage, newId, unixSeconds, usage } from './envelope.ts'

const VECTORS = z.union([z.array(z.array(z.number())), z.array(z.string())])

export const MultiVectorAnswer = z.object({
  id: z.string(),
  object: z.literal('list'),
  /** As it was asked for. */
  model: z.string(),
  /** Unix seconds. */
  created: z.int(),
  data: z.array(
    z.object({
      object: z.literal('embeddings'),
      index: z.int(),
      /** The vectors of a text's tokens; where several encodings were asked for, each by its name. */
      embeddings: z.union([VECTORS, z.record(z.string(), VECTORS)]),
    }),
  ),
  usage: Usage,
})

/** Jina's list of the vectors of each text's tokens. */
export async function multiVectorAnswer(result: EmbedMultiResult, { name, encodings }: EmbedRequest) {
  const data = []
  for (const [index, vectors] of result.vectors.entries()) {
    const columns = await encodeColumns(vectors, result.dimensions, encodings.formats)
    const named = Object.fromEntries(columns.map((column) => [column.name, column.vectors]))
    const embeddings = encodings.areMany ? named : columns[0]?.vectors
    data.push({ object: 'embeddings', index, embeddings })
  }
  return {
    id: newId('embd'),
    object: 'list',
    model: name ?? result.model,
    created: unixSeconds(),
    data,
    usage: usage(result.promptTokens),
  }
}
