/** The exported handler on the bundled model: bad input never stops the next job. */
import { afterAll, expect, test } from 'vitest'
import { close, handler } from '../../handler.ts'

afterAll(close)

const LONG_TEXT = 'word '.repeat(2_000_000)

const BAD_JOBS: readonly [string, unknown, string][] = [
  ['no input', {}, "the job's input is missing; it must be an object"],
  ['a job that is no object', 7, 'the job is 7; it must be an object'],
  ['input of the wrong type', { input: 42 }, "the job's input is 42; it must be an object"],
  ['an input without known keys', { input: { words: ['a'] } }, 'the job has neither "input"'],
  [
    'a number for a text',
    { input: { input: 42 } },
    'input is 42; it must be a string, a list of strings, or token ids',
  ],
  ['an empty list', { input: { input: [] } }, 'input is an empty list; at least one item is needed'],
  [
    'a list with a number in it',
    { input: { input: ['a', 'b', 3] } },
    'input[2] is 3; every item must be a string',
  ],
  [
    'a text of 10 MB',
    { input: { input: ['a', LONG_TEXT] } },
    'text 1 has 10000000 characters; a text may have 1048576',
  ],
  [
    'reranking with a model that embeds',
    { input: { query: 'q', docs: ['a'] } },
    'no served model can rerank',
  ],
  ['a rerank without a query', { input: { docs: ['a'] } }, 'query is missing; it must be a string'],
  ['a rerank without documents', { input: { query: 'q', docs: [] } }, 'docs is an empty list'],
  [
    'an unknown route',
    { input: { openai_route: '/v1/images' } },
    'route /v1/images is not served; served are /v1/embeddings, /openai/deployments/*/embeddings, /v1/models',
  ],
  [
    'dimensions that the model lacks',
    { input: { openai_route: '/v1/embeddings', openai_input: { input: 'a', dimensions: 385 } } },
    'dimensions is 385; all-MiniLM-L6-v2-int8 has 1 to 384',
  ],
]

test.each(BAD_JOBS)('%s fails with one sentence, and the next job works', async (_, job, message) => {
  const result = (await handler(job)) as { error: string }
  expect(typeof result.error).toBe('string')
  expect(result.error).toContain(message)
  expect(await handler({ input: { input: 'Hello world' } })).toMatchObject({ object: 'list' })
})

test('an empty string is a text', async () => {
  const result = (await handler({ input: { input: '' } })) as {
    data: { embedding: number[] }[]
    usage: object
  }
  expect(result.data[0]?.embedding).toHaveLength(384)
  expect(result.usage).toEqual({ prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 })
})

test('a job whose caller gives up ends as cancelled', async () => {
  const abort = new AbortController()
  const job = handler(
    { input: { input: Array.from({ length: 500 }, (_, i) => `text ${i}`) } },
    { signal: abort.signal },
  )
  abort.abort()
  expect(await job).toEqual({ error: 'the request was cancelled' })
})

test('numbers are written as the shortest text of their float32', async () => {
  const result = (await handler({ input: { input: 'Hello world' } })) as { data: { embedding: number[] }[] }
  const digits = (result.data[0]?.embedding ?? []).map(
    (value) => value.toExponential().replace(/e.*|[-.]/g, '').length,
  )
  expect(Math.max(...digits)).toBeLessThanOrEqual(9)
})
