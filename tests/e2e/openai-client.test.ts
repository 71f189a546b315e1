/** The official OpenAI client against the local API: the direct routes with their true errors, and the wrapped ones. */
import OpenAI, { AuthenticationError, BadRequestError, InternalServerError, NotFoundError } from 'openai'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Program } from '../start-program.ts'
import { startServer } from './start-server.ts'

const MODEL = 'all-MiniLM-L6-v2-int8'
const KEY = 'a-key'
let server: Program

beforeAll(async () => {
  server = await startServer({ API_KEY: KEY })
})

afterAll(() => server.stop())

function clientAt(path: string, apiKey = KEY): OpenAI {
  return new OpenAI({ baseURL: server.found + path, apiKey, maxRetries: 0 })
}

describe.each(['/v1', '/openai/v1', '/v2/local/openai/v1'])('at %s', (path) => {
  test('embeddings come as base64 by default, and are the same as floats', async () => {
    const client = clientAt(path)
    const input = ['Hello world', 'A second text']
    const packed = await client.embeddings.create({ model: MODEL, input })
    const plain = await client.embeddings.create({ model: MODEL, input, encoding_format: 'float' })
    expect(packed.data.map(({ embedding }) => embedding.length)).toEqual([384, 384])
    for (const [index, { embedding }] of packed.data.entries()) {
      const floats = plain.data[index]?.embedding ?? []
      const difference = Math.max(...embedding.map((value, at) => Math.abs(value - (floats[at] ?? NaN))))
      expect(difference).toBeLessThan(1e-6)
    }
    expect(packed.usage.prompt_tokens).toBeGreaterThan(3)
  })

  test('the list of models can be iterated', async () => {
    const ids: string[] = []
    for await (const model of clientAt(path).models.list()) ids.push(model.id)
    expect(ids).toEqual([MODEL])
  })
})

test('a mistake over HTTP is a BadRequestError with the message', async () => {
  const asked = clientAt('/v1').embeddings.create({ model: MODEL, input: [] })
  await expect(asked).rejects.toBeInstanceOf(BadRequestError)
  await expect(asked).rejects.toThrow('input is an empty list; at least one item is needed')
})

test('an unknown route is a NotFoundError', async () => {
  await expect(clientAt('/v1').files.list()).rejects.toBeInstanceOf(NotFoundError)
})

test('a wrong key is an AuthenticationError, at a job route too', async () => {
  for (const path of ['/v1', '/openai/v1']) {
    const asked = clientAt(path, 'another-key').embeddings.create({ model: MODEL, input: 'a' })
    await expect(asked, path).rejects.toBeInstanceOf(AuthenticationError)
  }
})

test('through a job a mistake is a failed job, which the platform shows as a 500', async () => {
  const asked = clientAt('/openai/v1').embeddings.create({ model: MODEL, input: [] })
  await expect(asked).rejects.toBeInstanceOf(InternalServerError)
  await expect(asked).rejects.toThrow('input is an empty list')
})
