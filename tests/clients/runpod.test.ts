/** RunPod's official client: jobs of every kind. */
import runpodSdk from 'runpod-sdk'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { Program } from '../start-program.ts'
import { largestDifference, ranked } from './compare.ts'
import { describeClient } from './describe-client.ts'
import { DOCUMENTS, QUERY, TEXTS } from './samples.ts'
import { EMBEDDER, KEY, RERANKER, plainScores, plainVectors, serve } from './serve.ts'

let server: Program

beforeAll(async () => {
  // the client tells of its progress
  vi.spyOn(console, 'log').mockImplementation(() => {})
  server = await serve()
})

afterAll(() => server.stop())

function endpoint(apiKey = KEY) {
  const found = runpodSdk(apiKey, { baseUrl: `${server.found}/v2` }).endpoint('an-endpoint')
  if (found === null) throw new Error('the client gave no endpoint')
  return found
}

describeClient(
  'runpod-sdk',
  { baseUrl: 'H/v2', works: 'run, runSync, status: embeddings, rerank, openai_route' },
  () => {
    test('runSync embeds', async () => {
      const { output, status } = await endpoint().runSync({ input: { model: EMBEDDER, input: TEXTS } })
      expect(status).toBe('COMPLETED')
      const vectors = (output.data as { embedding: number[] }[]).map(({ embedding }) => embedding)
      expect(largestDifference(vectors, await plainVectors(server.found, TEXTS))).toBeLessThanOrEqual(1e-6)
      expect(output.usage.prompt_tokens).toBeGreaterThan(10)
    })

    test('run and status rank', async () => {
      const { id } = await endpoint().run({ input: { model: RERANKER, query: QUERY, docs: DOCUMENTS } })
      const job = await vi.waitFor(async () => {
        const seen = await endpoint().status(id)
        if (seen.status !== 'COMPLETED') throw new Error(`the job is ${seen.status}`)
        return seen as unknown as { output: { scores: number[]; results: { index: number }[] } }
      }, 5000)
      const scores = await plainScores(server.found, QUERY, DOCUMENTS)
      expect(largestDifference([job.output.scores], [scores])).toBeLessThanOrEqual(1e-6)
      expect(job.output.results.map(({ index }) => index)).toEqual(ranked(scores))
    })

    test('any route can be a job', async () => {
      const documents = { model: RERANKER, query: QUERY, documents: DOCUMENTS }
      const input = { openai_route: '/v1/rerank', openai_input: documents }
      const { output } = await endpoint().runSync({ input })
      expect((output as [{ results: object[] }])[0].results.length).toBe(DOCUMENTS.length)
    })

    test('a failed job says why, a wrong key is a 401', async () => {
      const job = await endpoint().runSync({ input: { input: [] } })
      expect(job).toMatchObject({
        status: 'FAILED',
        error: expect.stringContaining('input is an empty list'),
      })
      await expect(endpoint('another-key').runSync({ input: { input: 'a' } })).rejects.toThrow('401')
    })
  },
)
