/** A RunPod job to its output. */
import { describe, expect, test } from 'vitest'
import { ServerError } from '../../../src/errors.ts'
import type { ErrorStyle } from '../../../src/transports/runpod/job.ts'
import { runJob } from '../../../src/transports/runpod/job.ts'
import { FakeService } from '../../fakes/service.ts'

const EMBEDDING = {
  object: 'list',
  model: 'm',
  data: [{ object: 'embedding', embedding: [0.01, -0.02], index: 0 }],
  usage: { prompt_tokens: 2, total_tokens: 2 },
}

function run(
  job: unknown,
  { errorStyle = 'failed', error }: { errorStyle?: ErrorStyle; error?: unknown } = {},
) {
  return runJob(job, new FakeService({ error }), { errorStyle })
}

async function errorOf(job: unknown, error?: unknown): Promise<string> {
  const result = await run(job, { error })
  return 'error' in result ? result.error : 'none'
}

describe('the output', () => {
  test('of a native job is the plain object', async () => {
    expect(await run({ input: { model: 'm', input: 'Hello world' } })).toEqual({ output: EMBEDDING })
  })

  test('of an openai route is a list of one body', async () => {
    const input = { openai_route: '/v1/embeddings', openai_input: { model: 'm', input: 'Hello world' } }
    expect(await run({ input })).toEqual({ output: [EMBEDDING] })
  })

  test.each(['/v1/models', '/models', '/v1/models/', 'v1/models'])(
    'of %s is the bare object',
    async (route) => {
      const output = { object: 'list', data: [] }
      expect(await run({ input: { openai_route: route } })).toEqual({ output })
      expect(await run({ input: { openai_route: route, openai_input: null } })).toEqual({ output })
    },
  )

  test('comes under the signal of the job', async () => {
    const service = new FakeService()
    const { signal } = new AbortController()
    await runJob({ input: { input: 'a' } }, service, { errorStyle: 'failed', signal })
    expect(service.signals).toEqual([signal])
  })
})

describe('a job is understood', () => {
  const rerank = { kind: 'rerank', query: 'q', documents: ['a'] }
  const openai = { openai_route: '/v1/embeddings', openai_input: { model: 'm', input: 'a' } }

  test.each([
    [
      'with its fields in input',
      { id: 'j', input: { input: 'a', model: 'm' } },
      { texts: ['a'], model: 'm' },
    ],
    ['of a ranking', { input: { query: 'q', docs: ['a'] } }, rerank],
    [
      'with a bare list and the model beside it',
      { input: ['a', 'b'], model: 'm' },
      { texts: ['a', 'b'], model: 'm' },
    ],
    ['with a bare string', { input: 'a' }, { texts: ['a'], model: undefined }],
    ['wrapped twice', { input: { input: { input: 'a', model: 'm' } } }, { texts: ['a'], model: 'm' }],
    ['of a ranking, wrapped twice', { input: { input: { query: 'q', docs: ['a'] } } }, rerank],
    ['with an empty route', { input: { openai_route: null, input: 'a' } }, { texts: ['a'] }],
    ['of an openai route', { input: openai }, { texts: ['a'], model: 'm' }],
    ['of an openai route, wrapped twice', { input: { input: openai } }, { texts: ['a'], model: 'm' }],
  ])('%s', async (_, job, task) => {
    const service = new FakeService()
    expect(await runJob(job, service, { errorStyle: 'failed' })).toHaveProperty('output')
    expect(service.tasks).toMatchObject([task])
  })
})

describe('a wrong job', () => {
  test.each([
    [undefined, 'the job is missing; it must be an object'],
    [null, 'the job is missing; it must be an object'],
    [5, 'the job is 5; it must be an object'],
    ['text', 'the job is "text"; it must be an object'],
    [[], 'the job is a list; it must be an object'],
    [{}, "the job's input is missing; it must be an object"],
    [{ id: 'j', input: null }, "the job's input is missing; it must be an object"],
    [{ input: 5 }, "the job's input is 5; it must be an object"],
    [{ input: true }, "the job's input is true; it must be an object"],
    [{ input: [] }, 'input is an empty list; at least one text is needed'],
    [{ input: ['a', 5] }, 'input[1] is 5; every item must be a string'],
    [
      { input: { text: 'a' } },
      'the job has neither "input" (to embed), nor "query" and "docs" (to rerank), nor "openai_route"',
    ],
    [{ input: { openai_route: 5 } }, 'openai_route is 5; it must be a path such as /v1/embeddings'],
    [{ input: { openai_route: '' } }, 'openai_route is ""; it must be a path such as /v1/embeddings'],
  ])('%j fails with its message alone: %s', async (job, message) => {
    expect(await errorOf(job)).toBe(message)
  })
})

describe('a failure, in style failed', () => {
  const openai = { input: { openai_route: '/v1/embeddings', openai_input: { input: 'a' } } }

  test('of a native job is its message alone', async () => {
    expect(await errorOf({ input: { input: 'a' } }, new ServerError('overloaded', 'full'))).toBe('full')
  })

  test('of an openai route is its message, then the error object of OpenAI', async () => {
    const message = 'input is missing; it must be a string or a list of strings'
    expect(await errorOf({ input: { openai_route: '/v1/embeddings' } })).toBe(
      `${message} {"error":{"message":"${message}","type":"invalid_request_error","param":null,"code":"invalid_request"}}`,
    )
  })

  test.each([
    [new ServerError('overloaded', 'the queue is full'), 'overloaded', 'rate_limit_error'],
    [new ServerError('thread_died', 'the thread died'), 'thread_died', 'server_error'],
    [new TypeError('a bug with "quotes" {'), 'internal', 'server_error'],
  ])('of the engine carries code and type too: %s', async (thrown, code, type) => {
    const { message } = thrown
    const error = await errorOf(openai, thrown)
    expect(error.startsWith(`${message} {`)).toBe(true)
    expect(JSON.parse(error.slice(message.length + 1))).toEqual({
      error: { message, type, param: null, code },
    })
  })

  test('names the route that is not served, and those that are', async () => {
    const message = 'route /v1/chat/completions is not served; served are /v1/embeddings, /v1/models'
    const error = await errorOf({ input: { openai_route: '/v1/chat/completions' } })
    expect(error.startsWith(`${message} {`)).toBe(true)
    expect(JSON.parse(error.slice(message.length + 1))).toMatchObject({ error: { code: 'route_not_found' } })
  })
})

describe('a failure in the style of the incumbent', () => {
  const openai = { openai_route: '/v1/embeddings', openai_input: { input: [] } }

  test.each([
    ['a native mistake', { input: [] }, undefined, 'input is an empty list; at least one text is needed'],
    ['a job without input', undefined, undefined, "the job's input is missing; it must be an object"],
    ['an openai mistake', openai, undefined, 'input is an empty list; at least one text is needed'],
    ['a failure of the engine', { input: 'a' }, new ServerError('internal', 'out of luck'), 'out of luck'],
  ])('%s completes with an error object of code 400', async (_, input, error, message) => {
    expect(await run({ input }, { errorStyle: 'incumbent', error })).toEqual({
      output: { object: 'error', message, type: 'BadRequestError', param: null, code: 400 },
    })
  })

  test('answers are the same in both styles', async () => {
    const job = { input: { model: 'm', input: 'Hello world' } }
    expect(await run(job, { errorStyle: 'incumbent' })).toEqual({ output: EMBEDDING })
  })
})
