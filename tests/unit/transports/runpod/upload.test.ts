import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { upload } from '../../../../src/transports/runpod/upload.ts'
import { findUploadTarget } from '../../../../src/transports/runpod/upload-target.ts'
import type { PlatformServer } from '../../../fakes/platform-server.ts'
import { drop, openPlatformServer, status } from '../../../fakes/platform-server.ts'

let server: PlatformServer
let pauses: number[]
beforeEach(async () => {
  server = await openPlatformServer()
  pauses = []
})
afterEach(() => server.close())

function put(name = 'job-1') {
  const url = `${server.origin}/results`
  const target = { url, accessKeyId: 'AK', secretAccessKey: 'SK', folders: [], publicOnly: false }
  return upload(target, {
    name,
    json: Buffer.from('{"é":1}'),
    signal: new AbortController().signal,
    pause: async (ms) => void pauses.push(ms),
  })
}

test('an object is put with a signature, and its link opens without a key for seven days', async () => {
  server.answers.push(status(200))
  const { url } = await put()
  expect(server.asked[0]).toMatchObject({
    method: 'PUT',
    url: '/results/job-1.json',
    body: '{"é":1}',
    headers: { 'content-type': 'application/json', 'content-length': '8' },
  })
  const { headers } = server.asked[0] ?? {}
  expect(headers?.['authorization']).toMatch(
    /^AWS4-HMAC-SHA256 Credential=AK\/\d{8}\/us-east-1\/s3\/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=[0-9a-f]{64}$/,
  )
  const link = new URL(url)
  expect(link.origin + link.pathname).toBe(`${server.origin}/results/job-1.json`)
  expect(link.searchParams.get('X-Amz-Expires')).toBe('604800')
  expect(link.searchParams.get('X-Amz-Signature')).toMatch(/^[0-9a-f]{64}$/)
  expect(url).not.toMatch(/SK/)
})

test('a name is one object, whatever stands in it', async () => {
  server.answers.push(status(200))
  await put('a/../b?c#d+e')
  expect(server.asked[0]?.url).toBe('/results/a%2F..%2Fb%3Fc%23d%2Be.json')
})

test.each([
  ['500', status(500)],
  ['503', status(503)],
  ['429', status(429)],
  ['a broken connection', drop],
])('what fails with %s is tried again', async (_, answer) => {
  server.answers.push(answer, answer, status(200))
  await put()
  expect([server.asked.length, pauses.length]).toEqual([3, 2])
})

test('what goes on failing is given up after four tries', async () => {
  server.answers.push(status(500))
  await expect(put()).rejects.toThrow('HTTP 500')
  expect(server.asked).toHaveLength(4)
})

test.each([
  ['403', status(403)],
  ['404', status(404)],
  ['a redirect, which could lead anywhere', status(307, { location: 'http://127.0.0.1:1/' })],
])('what is refused with %s is not tried again', async (_, answer) => {
  server.answers.push(answer)
  await expect(put()).rejects.toThrow(/^HTTP \d{3}$/)
  expect(server.asked).toHaveLength(1)
})

test('what a server says of its refusal is read at its start only', async () => {
  server.answers.push((response) => {
    response.writeHead(403).write(`<Error><Code>AccessDenied</Code>${'x'.repeat(4096)}`)
    // It never ends.
  })
  await expect(put()).rejects.toThrow('HTTP 403 (AccessDenied)')
})

describe('the target of a job’s own bucket', () => {
  const target = (endpointUrl: string, bucketName = 'mine') =>
    findUploadTarget({ accessId: 'a', accessSecret: 's', bucketName, endpointUrl }, undefined)

  test.each([
    ['https://s3.eu-west-1.amazonaws.com', 'https://s3.eu-west-1.amazonaws.com/mine'],
    ['https://s3.eu-west-1.amazonaws.com/', 'https://s3.eu-west-1.amazonaws.com/mine'],
    ['https://mine.s3.eu-west-1.amazonaws.com', 'https://mine.s3.eu-west-1.amazonaws.com'],
    ['https://minio.example.org:9000/mine/', 'https://minio.example.org:9000/mine'],
    ['https://host.example.org/base?x=1#y', 'https://host.example.org/base/mine'],
  ])('at %s is %s', (endpointUrl, url) => {
    expect(target(endpointUrl)).toEqual({
      url,
      accessKeyId: 'a',
      secretAccessKey: 's',
      folders: [],
      publicOnly: true,
    })
  })

  test.each([
    ['https://bucket.example.org', false],
    ['https://bucket.example.org:444', true],
    ['https://other.example.org', true],
  ])('at %s must be public unless the operator’s bucket is there: %s', (endpointUrl, publicOnly) => {
    const operator = { url: 'https://bucket.example.org/results', accessKeyId: '', secretAccessKey: '' }
    const s3Config = { accessId: 'a', accessSecret: 's', bucketName: 'mine', endpointUrl }
    expect(findUploadTarget(s3Config, operator)).toMatchObject({ publicOnly })
  })
})
