/** Chroma's Jina function: its address is fixed, so that only a patched fetch reaches another server. */
import { JinaEmbeddingFunction } from '@chroma-core/jina'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { Program } from '../start-program.ts'
import { largestDifference } from './compare.ts'
import { describeClient } from './describe-client.ts'
import { TEXTS } from './samples.ts'
import { DIMENSIONS, EMBEDDER, KEY, plainVectors, serve } from './serve.ts'

let server: Program

beforeAll(async () => {
  server = await serve()
  const { fetch } = globalThis
  vi.stubGlobal('fetch', (url: string, init?: RequestInit) =>
    fetch(url.replace('https://api.jina.ai', server.found), init),
  )
})

afterAll(async () => {
  vi.unstubAllGlobals()
  await server.stop()
})

describeClient(
  '@chroma-core/jina',
  { baseUrl: 'fixed: fetch patched', works: 'JinaEmbeddingFunction' },
  () => {
    test('texts have their vectors, whatever else is asked for', async () => {
      const plain = await plainVectors(server.found, TEXTS)
      const bare = new JinaEmbeddingFunction({ apiKey: KEY, modelName: EMBEDDER })
      expect(largestDifference(await bare.generate([...TEXTS]), plain)).toBeLessThanOrEqual(1e-6)
      const full = new JinaEmbeddingFunction({
        apiKey: KEY,
        modelName: EMBEDDER,
        task: 'retrieval.passage',
        truncate: true,
        dimensions: DIMENSIONS,
        normalized: true,
        embeddingType: 'float',
      })
      expect(largestDifference(await full.generate([...TEXTS]), plain)).toBeLessThanOrEqual(1e-6)
    })

    test('it fails where the server refuses', () =>
      expect(new JinaEmbeddingFunction({ apiKey: 'another-key' }).generate(['a'])).rejects.toThrow('Jina'))
  },
)
