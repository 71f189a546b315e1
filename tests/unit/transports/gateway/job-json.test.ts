import { describe, expect, test } from 'vitest'
import {
  jobForWorker,
  requestsJson,
  statusJson,
  streamJson,
  webhookJson,
} from '../../../../src/transports/gateway/job-json.ts'
import type { Job } from '../../../../src/transports/gateway/job.ts'
import { DEFAULT_POLICY } from '../../../../src/transports/gateway/job-request.ts'
import { openaiBody } from '../../../../src/transports/gateway/openai-body.ts'
import type { EncodedOutput } from '../../../../src/transports/runpod/job-source.ts'
import { encoded } from '../../../fakes/job-store.ts'

function jobOf(parts: Partial<Job>): Job {
  return {
    id: 'x-u1',
    status: 'IN_QUEUE',
    input: { text: 'é' },
    webhook: undefined,
    policy: DEFAULT_POLICY,
    s3Config: undefined,
    sync: false,
    submittedAt: 1000,
    startedAt: undefined,
    endedAt: undefined,
    workerId: undefined,
    output: undefined,
    error: undefined,
    retries: 0,
    ...parts,
  }
}

function raw(text: string, isListOfOne = true): EncodedOutput {
  return { json: new Uint8Array(Buffer.from(`#${text}`)).subarray(1), isListOfOne }
}

const ran = { startedAt: 1012.4, endedAt: 1052.4, workerId: 'w1' }

describe('the status', () => {
  test('of a job that waits is its id and its state', () => {
    expect(statusJson(jobOf({})).toString()).toBe('{"id":"x-u1","status":"IN_QUEUE"}')
  })

  test('of a job that runs tells its delay and its progress', () => {
    const job = jobOf({
      ...ran,
      endedAt: undefined,
      status: 'IN_PROGRESS',
      output: encoded({ done: 1 }),
      retries: 1,
    })
    expect(statusJson(job).toString()).toBe(
      '{"delayTime":12,"id":"x-u1","output":{"done":1},"retries":1,"status":"IN_PROGRESS","workerId":"w1"}',
    )
  })

  test('of a job that ended carries the stored bytes as they are', () => {
    const job = jobOf({ ...ran, status: 'COMPLETED', output: raw('[ {"é":1e400} ]') })
    expect(statusJson(job).toString()).toBe(
      '{"delayTime":12,"executionTime":40,"id":"x-u1","output":[ {"é":1e400} ],"status":"COMPLETED","workerId":"w1"}',
    )
  })

  test('of a job that failed tells why', () => {
    const job = jobOf({ ...ran, status: 'FAILED', error: 'no "memory"' })
    expect(JSON.parse(statusJson(job).toString())).toEqual({
      delayTime: 12,
      error: 'no "memory"',
      executionTime: 40,
      id: 'x-u1',
      status: 'FAILED',
      workerId: 'w1',
    })
  })
})

test('a list of requests holds no results', () => {
  const jobs = [jobOf({ ...ran, status: 'COMPLETED', output: encoded([1]) }), jobOf({})]
  expect(JSON.parse(requestsJson(jobs).toString())).toEqual({
    requests: [
      { delayTime: 12, executionTime: 40, id: 'x-u1', status: 'COMPLETED', workerId: 'w1' },
      { id: 'x-u1', status: 'IN_QUEUE' },
    ],
  })
})

test('a stream is a list of the chunks, empty where there are none', () => {
  const job = jobOf({ status: 'IN_PROGRESS' })
  const chunks = ['{"output":1}', '{"output":2}'].map((text) => Buffer.from(text))
  expect(streamJson({ job, chunks }).toString()).toBe(
    '{"status":"IN_PROGRESS","stream":[{"output":1},{"output":2}]}',
  )
  expect(streamJson({ job, chunks: [] }).toString()).toBe('{"status":"IN_PROGRESS","stream":[]}')
})

test('a webhook gets the status, the input and its address, as they were at the end', async () => {
  const job = jobOf({ ...ran, status: 'COMPLETED', output: encoded([1]), webhook: 'http://h/' })
  const changing = { ...job }
  const body = webhookJson(changing)
  changing.status = 'IN_QUEUE'
  expect((await body).toString()).toBe(
    '{"delayTime":12,"executionTime":40,"id":"x-u1","input":{"text":"é"},"output":[1],"status":"COMPLETED","webhook":"http://h/","workerId":"w1"}',
  )
})

test('a worker is given the job under the platform’s names', () => {
  const s3Config = { accessId: 'a', accessSecret: 's', bucketName: 'b', endpointUrl: 'http://s3/' }
  const job = jobOf({ s3Config, webhook: 'http://h/' })
  expect(JSON.parse(JSON.stringify(jobForWorker(job)))).toEqual({
    id: 'x-u1',
    input: { text: 'é' },
    policy: { executionTimeout: 600_000, ttl: 86_400_000, lowPriority: false },
    s3Config,
    webhook: 'http://h/',
  })
  expect(JSON.stringify(jobForWorker(jobOf({})))).not.toMatch(/s3Config|webhook/)
})

describe('an OpenAI answer', () => {
  const answerTo = (parts: Partial<Job>) => {
    const { status, contentType, body } = openaiBody(jobOf({ ...ran, status: 'COMPLETED', ...parts }))
    return [status, contentType.split(';')[0], body.toString()]
  }

  test.each([
    {
      about: 'the one element of a list',
      output: raw(' [ {"a":[1]} ] '),
      type: 'application/json',
      body: ' {"a":[1]} ',
    },
    {
      about: 'a bare object',
      output: raw('{"data":[]}', false),
      type: 'application/json',
      body: '{"data":[]}',
    },
    { about: 'a longer list as it is', output: raw('[1,2]', false), type: 'application/json', body: '[1,2]' },
    { about: 'JSON in a text', output: raw('["{\\"a\\":1}"]'), type: 'application/json', body: '{"a":1}' },
    {
      about: 'events in a text',
      output: raw('["data: {}\\n\\ndata: [DONE]\\n\\n"]'),
      type: 'text/event-stream',
      body: 'data: {}\n\ndata: [DONE]\n\n',
    },
    { about: 'a plain text', output: raw('["hé"]'), type: 'text/plain', body: 'hé' },
  ])('is $about', ({ output, type, body }) => {
    expect(answerTo({ output })).toEqual([200, type, body])
  })

  test.each([
    { status: 'FAILED', error: 'no memory', told: 'no memory' },
    { status: 'TIMED_OUT', error: 'the job ran longer', told: 'the job ran longer' },
    { status: 'CANCELLED', error: undefined, told: 'the job was cancelled' },
    { status: 'COMPLETED', error: undefined, told: 'the job completed without an output' },
  ] as const)('to a job that is $status says that with 500', ({ status, error, told }) => {
    expect(answerTo({ status, error })).toEqual([500, 'application/json', JSON.stringify({ error: told })])
  })
})
