import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { DeliverOptions } from '../../../../src/transports/runpod/deliver.ts'
import { openDeliver } from '../../../../src/transports/runpod/deliver.ts'
import type { JobResult } from '../../../../src/transports/runpod/job.ts'
import type { EncodedOutcome } from '../../../../src/transports/runpod/job-source.ts'
import type { PlatformServer } from '../../../fakes/platform-server.ts'
import { openPlatformServer, status } from '../../../fakes/platform-server.ts'

function deliver(
  result: JobResult,
  { job = {}, ...options }: DeliverOptions & { job?: object } = {},
): Promise<EncodedOutcome> {
  return openDeliver(options)({
    jobId: 'job 1',
    job: { ...job },
    result,
    signal: new AbortController().signal,
  })
}

function errorOf(outcome: EncodedOutcome): string {
  return 'error' in outcome ? outcome.error : 'none'
}

function outputOf(outcome: EncodedOutcome): { value: unknown; isListOfOne: boolean } {
  if ('error' in outcome) throw new Error(outcome.error)
  const { json, isListOfOne } = outcome.output
  return { value: JSON.parse(Buffer.from(json).toString()), isListOfOne }
}

describe('an output', () => {
  test.each([
    ['an object', { a: [1, 'é'] }, false],
    ['a list of one', [{ a: 1 }], true],
    ['a list of two', [1, 2], false],
    ['an empty list', [], false],
    ['null', null, false],
  ])('that is %s is encoded', async (_, output, isListOfOne) => {
    expect(outputOf(await deliver({ output }))).toEqual({ value: output, isListOfOne })
  })

  test('of exactly the limit passes, and of one byte more does not', async () => {
    // Two quotation marks; é has two bytes.
    expect(outputOf(await deliver({ output: 'éé' }, { maxResultBytes: 6 })).value).toBe('éé')
    expect(errorOf(await deliver({ output: 'éé' }, { maxResultBytes: 5 }))).toMatch(/^the output has/)
  })

  test('may have 20 MB with what stands around it, and an error says what to do about more', async () => {
    expect(outputOf(await deliver({ output: 'x'.repeat(19_998_998) })).value).toHaveLength(19_998_998)
    expect(errorOf(await deliver({ output: 'x'.repeat(19_998_999) }))).toContain('may have 20.0 MB')
    expect(errorOf(await deliver({ output: 'x'.repeat(31_200_000) }))).toBe(
      'the output has 31.2 MB and a result may have 20.0 MB; ask for encoding_format "base64", ' +
        'send fewer items per job, or name an S3 bucket (BUCKET_ENDPOINT_URL, or s3Config in the job)',
    )
  })
})

describe('an error', () => {
  test('stays as it is', async () => {
    expect(await deliver({ error: 'no such model' })).toEqual({ error: 'no such model' })
  })

  test('is never empty: the platform would take the job for completed', async () => {
    expect(await deliver({ error: '' })).toEqual({ error: 'the job failed' })
  })

  test('that is too long keeps its start', async () => {
    const error = errorOf(await deliver({ error: `start ${'x'.repeat(50_000)}` }))
    expect(error).toHaveLength(16_001)
    expect(error).toMatch(/^start x+…$/)
  })
})

describe('an output over the limit, with a bucket', () => {
  let server: PlatformServer
  let bucket: { url: string; accessKeyId: string; secretAccessKey: string }
  beforeEach(async () => {
    server = await openPlatformServer()
    server.answers.push(status(200))
    bucket = { url: `${server.origin}/results`, accessKeyId: 'AK', secretAccessKey: 'SK' }
  })
  afterEach(() => server.close())

  const output = { data: 'x'.repeat(100) }

  function s3Config(changes: object = {}): object {
    return {
      accessId: 'job-key',
      accessSecret: 'job-secret',
      bucketName: 'theirs',
      endpointUrl: server.origin,
      ...changes,
    }
  }

  test('is written to it, and the result is a link', async () => {
    const beforeMs = Date.now()
    const { value, isListOfOne } = outputOf(await deliver({ output }, { bucket, maxResultBytes: 50 }))
    expect(JSON.parse(server.asked[0]?.body ?? '')).toEqual(output)
    expect(isListOfOne).toBe(false)
    expect(value).toEqual({
      object: 'result_url',
      url: expect.stringMatching(/\/results\/job%201\.json\?.*X-Amz-Signature=/),
      bytes: 111,
      content_type: 'application/json',
      expires_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    })
    const { expires_at: expiresAt } = value as { expires_at: string }
    expect(Date.parse(expiresAt) - beforeMs).toBeGreaterThanOrEqual(604_800_000)
    expect(Date.parse(expiresAt) - beforeMs).toBeLessThan(604_860_000)
  })

  test('that was a list of one becomes one again, for the openai routes', async () => {
    const outcome = await deliver({ output: [output] }, { bucket, maxResultBytes: 50 })
    expect(outputOf(outcome)).toMatchObject({ value: [{ object: 'result_url' }], isListOfOne: true })
  })

  test('goes to the bucket that the job names', async () => {
    const job = { s3Config: s3Config({ objectPath: '/a b/../c/' }) }
    const { value } = outputOf(await deliver({ output }, { bucket, maxResultBytes: 50, job }))
    expect(server.asked[0]?.url).toBe('/theirs/a%20b/c/job%201.json')
    expect(server.asked[0]?.headers['authorization']).toMatch(/Credential=job-key\//)
    expect(value).toMatchObject({ url: expect.stringMatching(/\/theirs\/a%20b\/c\/job%201\.json\?/) })
  })

  test('that cannot be written is an error that says why', async () => {
    server.answers[0] = (response) =>
      response.writeHead(403).end('<Error><Code>AccessDenied</Code><Message>AK</Message></Error>')
    const error = errorOf(await deliver({ output }, { bucket, maxResultBytes: 50 }))
    expect(error).toMatch(
      /^the output has 0\.0 MB .*; it could not be written to the S3 bucket: HTTP 403 \(AccessDenied\); ask for/,
    )
  })

  test.each([
    ['http://127.0.0.1:1/'],
    ['http://localhost:1/'],
    ['http://[::1]:1/'],
    ['http://169.254.169.254/latest'],
    ['https://10.0.0.1/'],
  ])('is not sent to %s, an address of this network that a client chose', async (endpointUrl) => {
    const job = { s3Config: s3Config({ endpointUrl }) }
    const error = errorOf(await deliver({ output }, { bucket, maxResultBytes: 50, job }))
    expect(error).toMatch(/could not be written to the S3 bucket: .* is not the name of a public host/)
  })

  test('is not sent to the server’s own host where the operator has no bucket there', async () => {
    const error = errorOf(await deliver({ output }, { maxResultBytes: 50, job: { s3Config: s3Config() } }))
    expect(error).toMatch(/is not the name of a public host/)
    expect(server.asked).toEqual([])
  })

  test.each<[object | string, RegExp]>([
    [{ accessId: undefined }, /s3Config\.accessId is missing/],
    [{ accessSecret: 7 }, /s3Config\.accessSecret is not a text/],
    [{ bucketName: '' }, /s3Config\.bucketName is not a text/],
    [{ bucketName: '../x' }, /s3Config\.bucketName is not the name of a bucket/],
    [{ endpointUrl: 'ftp://host' }, /s3Config\.endpointUrl is no address/],
    [{ endpointUrl: 'http://user:pass@host' }, /s3Config\.endpointUrl is no address/],
    [{ endpointUrl: 'host' }, /s3Config\.endpointUrl is no address/],
    [{ objectPath: 7 }, /s3Config\.objectPath is not a string/],
  ])('and %o in the job is an error, not the operator’s bucket', async (changes, message) => {
    const job = { s3Config: s3Config(changes as object) }
    expect(errorOf(await deliver({ output }, { bucket, maxResultBytes: 50, job }))).toMatch(message)
    expect(server.asked).toEqual([])
  })

  test('and a job whose s3Config is a text is an error', async () => {
    const job = { s3Config: 'mine' }
    expect(errorOf(await deliver({ output }, { bucket, maxResultBytes: 50, job }))).toMatch(
      /is not an object/,
    )
  })

  test('is the only one for which a broken s3Config matters', async () => {
    expect(outputOf(await deliver({ output }, { job: { s3Config: 'mine' } })).value).toEqual(output)
  })

  test('is not written when the job has been stopped', async () => {
    const controller = new AbortController()
    server.answers[0] = () => controller.abort()
    const { signal } = controller
    const delivering = openDeliver({ bucket, maxResultBytes: 50 })({
      jobId: 'a',
      job: {},
      result: { output },
      signal,
    })
    await expect(delivering).rejects.toMatchObject({ name: 'AbortError' })
  })
})
