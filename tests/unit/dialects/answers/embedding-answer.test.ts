import { describe, expect, test, vi } from 'vitest'
import { embeddingAnswer } from '../../../../src/dialects/answers/embedding-answer.ts'
import { newId, unixSeconds, usage } from '../../../../src/dialects/answers/envelope.ts'
import { readEmbedRequest } from '../../../../src/dialects/requests/embed-request.ts'
import { FakeService } from '../../../fakes/service.ts'

async function answer(fields: object, numbers: readonly number[] = [3, -0.5, 0.1]) {
  const service = new FakeService({ vector: () => numbers, promptTokens: 7 })
  const body = { ...fields, input: ['a', 'b'] }
  const request = await readEmbedRequest({ body, fields: ['input'], service, options: {} })
  return embeddingAnswer(await service.embed(request.task), request)
}

test('numbers are a view of the vectors, not a copy', async () => {
  const { data } = await answer({})
  const [first, second] = data.map(({ embedding }) => embedding as Float32Array)
  expect(first).toBeInstanceOf(Float32Array)
  expect(first?.buffer).toBe(second?.buffer)
  expect(second?.byteOffset).toBe(12)
})

test('an answer has usage in full, an id of its own and the time in seconds', async () => {
  vi.useFakeTimers({ now: 1_763_840_000_999, toFake: ['Date'] })
  try {
    const [first, second] = [await answer({}), await answer({})]
    expect(first).toMatchObject({ object: 'list', created: 1_763_840_000, usage: usage(7) })
    expect(first.id).not.toBe(second.id)
    expect(usage(7)).toEqual({ prompt_tokens: 7, completion_tokens: 0, total_tokens: 7 })
    expect(newId('x')).toMatch(/^x-[\da-f-]{36}$/)
    expect(unixSeconds()).toBe(1_763_840_000)
  } finally {
    vi.useRealTimers()
  }
})

describe('an embedding', () => {
  test.each([
    [{}, new Float32Array([3, -0.5, 0.1])],
    [{ encoding_format: 'base64' }, Buffer.from(new Float32Array([3, -0.5, 0.1]).buffer).toString('base64')],
    [{ encoding_format: 'int8' }, new Int8Array([127, -21, 4])],
    [{ encoding_format: 'uint8' }, new Uint8Array([255, 107, 132])],
    [{ encoding_format: 'ubinary' }, new Uint8Array([0b1010_0000])],
    [{ encoding_format: 'binary' }, new Int8Array([0b1010_0000 - 128])],
    [{ output_dtype: 'uint8', encoding_format: 'base64' }, '/2uE'],
    [
      { embedding_types: ['float', 'binary'] },
      { float: new Float32Array([3, -0.5, 0.1]), binary: new Int8Array([32]) },
    ],
  ])('for %j', async (fields, embedding) => {
    const { data } = await answer(fields)
    expect(data).toEqual([
      { object: 'embedding', index: 0, embedding },
      { object: 'embedding', index: 1, embedding },
    ])
  })
})
