/** The real server for clients to talk to, and its plain answers, which no client has touched. */
import { expect, vi } from 'vitest'
import type { Program } from '../start-program.ts'
import { startServer } from '../e2e/start-server.ts'

export const EMBEDDER = 'Org/MiniLM'
export const RERANKER = 'Org/Reranker'
export const CLASSIFIER = 'Org/Classifier'
export const KEY = 'a-key'
export const DIMENSIONS = 384

const MODEL_NAMES = [
  `${EMBEDDER}=models/all-MiniLM-L6-v2-int8`,
  `${RERANKER}=tests/golden/bert/bert-cross-encoder/model`,
  `${CLASSIFIER}=tests/golden/bert/bert-cross-encoder-3-labels/model`,
].join(';')

export function serve(env: Readonly<Record<string, string>> = {}): Promise<Program> {
  return startServer({ MODEL_NAMES, API_KEY: KEY, ...env })
}

/** Vectors by `fetch` and as numbers. */
export async function plainVectors(
  url: string,
  texts: readonly string[],
  more: object = {},
): Promise<number[][]> {
  const body = { model: EMBEDDER, input: texts, encoding_format: 'float', ...more }
  const { data } = (await post(`${url}/v1/embeddings`, body)) as { data: { embedding: number[] }[] }
  return data.map(({ embedding }) => embedding)
}

/** Scores in the order of the documents, by way of a job. */
export async function plainScores(url: string, query: string, docs: readonly string[]): Promise<number[]> {
  const input = { model: RERANKER, query, docs }
  const { output } = (await post(`${url}/runsync`, { input })) as { output: { scores: number[] } }
  return output.scores
}

export async function post(url: string, body: unknown): Promise<unknown> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${KEY}` }
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`)
  return response.json()
}

export const QUEUE_SIZE = 64

/**
 * Fills the queue of a server that was started with INFINITY_QUEUE_SIZE=64, for some tenths of a second: a request of that many
 * texts is refused for as long as one waits. Resolves once it is full; `emptied` when it is no longer.
 */
export async function fillQueue(url: string): Promise<{ emptied: Promise<unknown> }> {
  const long = Array.from({ length: QUEUE_SIZE }, (_, index) => `text ${index} `.repeat(30))
  const emptied = post(`${url}/v1/embeddings`, { model: EMBEDDER, input: long })
  await vi.waitFor(async () => {
    const answer = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${KEY}` } })
    expect(await answer.text()).toMatch(/^embeddings_queue_items\S* [1-9]/m)
  }, 5000)
  return { emptied }
}
