import type { EmbedResult } from '../task.ts'
import type { VectorEncoding } from './encode-vectors.ts'
import { encodeVectors } from './encode-vectors.ts'

/** OpenAI's list of embeddings. `model`: as the client spelt it, for some compare. */
export async function embeddingAnswer(
  result: EmbedResult,
  model: string | undefined,
  encoding: VectorEncoding,
) {
  const embeddings = await encodeVectors(result.vectors, result.dimensions, encoding)
  return {
    object: 'list',
    model: model ?? result.model,
    data: embeddings.map((embedding, index) => ({ object: 'embedding', embedding, index })),
    usage: usage(result.promptTokens),
  }
}

export function usage(promptTokens: number) {
  return { prompt_tokens: promptTokens, total_tokens: promptTokens }
}
