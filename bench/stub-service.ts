/** An engine that answers at once: for benches of what stands around it. */
import type { EmbedResult, Service } from '../src/task.ts'

/** `vectors`: [N, dimensions], made beforehand, of which as many are returned as texts come. */
export function stubService(vectors: Float32Array, dimensions: number): Service {
  const unused = () => Promise.reject(new Error('not part of this bench'))
  return {
    embed: async ({ texts }): Promise<EmbedResult> => ({
      model: 'stub',
      dimensions,
      vectors: vectors.subarray(0, texts.length * dimensions),
      promptTokens: texts.length,
      truncatedItems: 0,
      timing: { tokenizeMs: 0, queueMs: 0, runMs: 1 },
    }),
    embedMedia: unused,
    embedTokens: unused,
    embedMulti: unused,
    embedSparse: unused,
    rerank: unused,
    classify: unused,
    tokenize: unused,
    decode: unused,
    models: () => [],
  }
}
