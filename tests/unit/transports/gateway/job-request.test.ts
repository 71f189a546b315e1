import { expect, test } from 'vitest'
import { DEFAULT_POLICY, readJobRequest } from '../../../../src/transports/gateway/job-request.ts'

const S3 = { accessId: 'a', accessSecret: 's', bucketName: 'b', endpointUrl: 'https://s3.example.com' }

test('an input alone is a job, with the policy that the platform gives', () => {
  expect(readJobRequest({ input: { text: 'a' } })).toEqual({
    input: { text: 'a' },
    policy: { executionTimeout: 600_000, ttl: 86_400_000, lowPriority: false },
    webhook: undefined,
    s3Config: undefined,
  })
})

test.each([0, false, '', [], 'text', {}])('%j is an input', (input) => {
  expect(readJobRequest({ input }).input).toEqual(input)
})

test('everything else is read; nulls count as absent, and what is unknown is ignored', () => {
  const policy = { executionTimeout: 5000, ttl: 604_800_000, lowPriority: true, other: 1 }
  const webhook = 'http://hooks.example.com/x'
  expect(readJobRequest({ input: 1, policy, webhook, s3Config: { ...S3, region: 'x' }, id: 'mine' })).toEqual(
    {
      input: 1,
      policy: { executionTimeout: 5000, ttl: 604_800_000, lowPriority: true },
      webhook,
      s3Config: S3,
    },
  )
  const nulls = { input: 1, policy: null, webhook: null, s3Config: null }
  expect(readJobRequest(nulls)).toMatchObject({ policy: DEFAULT_POLICY, webhook: undefined })
  expect(readJobRequest({ input: 1, policy: { ttl: null } }).policy).toEqual(DEFAULT_POLICY)
})

test('an input’s own keys stay as they are', () => {
  const input: unknown = JSON.parse('{"__proto__":{"a":1},"b":null}')
  expect(JSON.stringify(readJobRequest({ input }).input)).toBe('{"__proto__":{"a":1},"b":null}')
})

test.each([
  { body: undefined, message: 'the body is missing; it must be an object' },
  { body: ['a'], message: 'the body is a list; it must be an object' },
  { body: {}, message: 'input is missing; it must be any JSON but null' },
  { body: { input: null }, message: 'input is null; it must be any JSON but null' },
  {
    body: { input: 1, policy: { executionTimeout: 4999 } },
    message: 'policy.executionTimeout is 4999; it must be 5000 to 604800000 (milliseconds)',
  },
  {
    body: { input: 1, policy: { ttl: 604_800_001 } },
    message: 'policy.ttl is 604800001; it must be 10000 to 604800000 (milliseconds)',
  },
  {
    body: { input: 1, policy: { ttl: '1h', lowPriority: 1 } },
    message:
      'policy.ttl is "1h"; it must be 10000 to 604800000 (milliseconds); policy.lowPriority is 1; it must be true or false',
  },
  { body: { input: 1, policy: 5 }, message: 'policy is 5; it must be an object' },
  {
    body: { input: 1, webhook: 'ftp://x/' },
    message: 'webhook is "ftp://x/"; it must be an http or https address',
  },
  { body: { input: 1, webhook: 'x' }, message: 'webhook is "x"; it must be an http or https address' },
  {
    body: { input: 1, s3Config: { ...S3, bucketName: undefined } },
    message: 's3Config.bucketName is missing; it must be a string',
  },
])('a wrong request is refused: $message', ({ body, message }) => {
  expect(() => readJobRequest(body)).toThrow(expect.objectContaining({ code: 'invalid_request', message }))
})
