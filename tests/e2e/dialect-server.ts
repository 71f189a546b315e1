/** A server with a model of every kind, and how tests ask it. */
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { BUNDLED_MODEL } from '../open-model.ts'
import type { Program } from '../start-program.ts'
import { ROOT } from './run-handler.ts'
import { startServer } from './start-server.ts'

export const GOLDEN = join(ROOT, 'tests/golden/bert')
export const EMBEDDER = 'Org/MiniLM'
const TOLERANCE = 1e-6

export type Vectors = readonly (readonly number[])[]

export interface Answer {
  readonly status: number
  readonly body: unknown
  readonly headers: Headers
}

export interface EmbeddingList {
  readonly data: readonly { readonly embedding: number[] }[]
}

export interface DialectServer {
  readonly get: (path: string) => Promise<unknown>
  readonly post: (path: string, body: unknown) => Promise<Answer>
  /** The body of a success. */
  readonly ask: (path: string, body: object) => Promise<unknown>
  /** Vectors as the plain route has them. */
  readonly embed: (input: unknown, fields?: object) => Promise<Vectors>
}

/** For the tests of one file. */
export function serveDialects(): DialectServer {
  let server: Program
  beforeAll(async () => {
    const judge = join(GOLDEN, 'bert-cross-encoder/model')
    const critic = join(GOLDEN, 'bert-cross-encoder-3-labels/model')
    server = await startServer({
      MODEL_NAMES: `${EMBEDDER}=${BUNDLED_MODEL};judge=${judge};critic=${critic}`,
    })
  })
  afterAll(() => server.stop())
  const get = async (path: string) => (await fetch(server.found + path)).json()
  const post = async (path: string, body: unknown) => {
    const response = await fetch(server.found + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    return { status: response.status, body: await response.json(), headers: response.headers }
  }
  const ask = async (path: string, body: object) => succeeded(await post(path, body))
  const embed = async (input: unknown, fields: object = {}) => {
    const { data } = (await ask('/v1/embeddings', { input, ...fields })) as EmbeddingList
    return data.map(({ embedding }) => embedding)
  }
  return { get, post, ask, embed }
}

function succeeded({ status, body }: Answer): unknown {
  expect(status, JSON.stringify(body)).toBe(200)
  return body
}

export function expectClose(actual: Vectors, expected: Vectors, tolerance = TOLERANCE): void {
  expect(actual.map((row) => row.length)).toEqual(expected.map((row) => row.length))
  const wanted = expected.flat()
  expect(wanted.length).toBeGreaterThan(0)
  const difference = Math.max(...actual.flat().map((value, at) => Math.abs(value - (wanted[at] ?? NaN))))
  expect(difference).toBeLessThanOrEqual(tolerance)
}

export function lengthOf(vector: readonly number[]): number {
  return Math.hypot(...vector)
}

export function dot(a: readonly number[] | undefined, b: readonly number[] | undefined): number {
  return (a ?? []).reduce((sum, value, d) => sum + value * (b?.[d] ?? NaN), 0)
}
