/** A RunPod job to its output. */
import { describe, expect, test } from 'vitest'
import { plainJson } from '../../../src/base/plain-json.ts'
import { ServerError } from '../../../src/errors.ts'
import type { ErrorStyle } from '../../../src/transports/runpod/job.ts'
import { runJob } from '../../../src/transports/runpod/job.ts'
import { FakeService } from '../../fakes/service.ts'
import { withoutIds } from './ask.ts'
import { embeddingAnswer } from './cases/openai.ts'

const EMBEDDING = embeddingAnswer('m', [[0.01, -0.02]])

async function run(
  job: unknown,
  { errorStyle = 'failed', error }: { errorStyle?: ErrorStyle; error?: unknown } = {},
) {
  return withoutIds(await plainJson(await runJob(job, new FakeService({ error }), { errorStyle })))
}

async function errorOf(job: unknown, error?: unknown): Promise<string> {
  return ((await run(job, { error })) as { error?: string }).error ?? 'none'
}

describe('the output', () => {
  test('of a native job is the plain object', async () => {
    expect(await run({ input: { model: 'm', input: 'Hello world' } })).toEqual({ output: EMBEDDING })
  })

  test('of an openai route is a list of one body', async () => {
    const input = { openai_route: '/v1/embeddings', openai_input: { model: 'm', input: 'Hello world' } }
    expect(await run({ input })).toEqual({ output: [EMBEDDING] })
  })

  test('of a route that answers with a list is a list of that list', async () => {
    const input = { openai_route: '/embed', openai_input: { inputs: 'a' } }
    expect(await run({ input })).toEqual({ output: [[[0.01, -0.02]]] })
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
    ['with one text that is an object', { input: { input: { text: 'a' } } }, { texts: ['a'] }],
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
    [null, 'the job is null; it must be an object'],
    [5, 'the job is 5; it must be an object'],
    ['text', 'the job is "text"; it must be an object'],
    [[], 'the job is a list of 0; it must be an object'],
    [{}, "the job's input is missing; it must be an object"],
    [{ id: 'j', input: null }, "the job's input is null; it must be an object"],
    [{ input: 5 }, "the job's input is 5; it must be an object"],
    [{ input: [] }, 'input is an empty list; at least one item is needed'],
    [{ input: { openai_route: 5 } }, 'openai_route is 5; it must be a path such as /v1/embeddings'],
    [{ input: { openai_route: '' } }, 'openai_route is ""; it must be a path such as /v1/embeddings'],
  ])('%j fails with its message alone: %s', async (job, message) => {
    expect(await errorOf(job)).toBe(message)
  })
})

test('a job whose lists stand in each other without end is refused, before anybody walks through it', async () => {
  let input: unknown = 'a'
  for (let level = 0; level < 100_000; level++) input = [input]
  expect(await errorOf({ input })).toBe('the job has lists or objects in more than 200 levels')
})

describe('a failure, in style failed', () => {
  const openai = { input: { openai_route: '/v1/embeddings', openai_input: { input: 'a' } } }

  test('of a native job is its message alone', async () => {
    expect(await errorOf({ input: { input: 'a' } }, new ServerError('overloaded', 'full'))).toBe('full')
  })

  test.each([
    [new ServerError('overloaded', 'the queue is full'), 'rate_limit_exceeded', 'rate_limit_error'],
    [new ServerError('thread_died', 'the thread died'), 'thread_died', 'server_error'],
    [new TypeError('a bug with "quotes" {'), 'internal_error', 'server_error'],
  ])('of an openai route is its message, then the error object of OpenAI: %s', async (thrown, code, type) => {
    const { message } = thrown
    const error = await errorOf(openai, thrown)
    expect(error.startsWith(`${message} {`)).toBe(true)
    expect(JSON.parse(error.slice(message.length + 1))).toEqual({
      error: { message, type, param: null, code },
    })
  })

  test('of another dialect is its message, then what that dialect says', async () => {
    const tei = { input: { openai_route: '/embed', openai_input: { inputs: 'a' } } }
    expect(await errorOf(tei, new ServerError('overloaded', 'full'))).toBe(
      'full {"error":"full","error_type":"Overloaded"}',
    )
  })
})

describe('a failure in the style of the incumbent', () => {
  const openai = { openai_route: '/v1/embeddings', openai_input: { input: [] } }
  const EMPTY = 'input is an empty list; at least one item is needed'

  test.each([
    ['a native mistake', { input: [] }, undefined, EMPTY],
    ['a job without input', undefined, undefined, "the job's input is missing; it must be an object"],
    ['an openai mistake', openai, undefined, EMPTY],
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
