import { expect, test } from 'vitest'
import { readWorkerUrl } from '../../../../tools/gateway/worker-url.ts'

function read(url: string, operation: string) {
  const { query, ...ids } = readWorkerUrl(url, operation)
  return { ...ids, query: Object.fromEntries(query) }
}

test.each([
  [
    '/v2/ep/job-take/w1?gpu=L4&job_in_progress=1',
    'job-take',
    'w1',
    undefined,
    { gpu: 'L4', job_in_progress: '1' },
  ],
  ['/v2/ep/job-take/w1&job_in_progress=0', 'job-take', 'w1', undefined, { job_in_progress: '0' }],
  [
    '/v2/ep/job-take-batch/w1&batch_size=3&job_in_progress=0',
    'job-take-batch',
    'w1',
    undefined,
    { batch_size: '3', job_in_progress: '0' },
  ],
  ['/v2/ep/job-done/w1/j1?gpu=a+b&isStream=false', 'job-done', 'w1', 'j1', { gpu: 'a b', isStream: 'false' }],
  ['/v2/ep/job-done/w1/j1&isStream=false', 'job-done', 'w1', 'j1', { isStream: 'false' }],
  ['/v2/ep/job-done/w1/j1&isStream=true?gpu=x', 'job-done', 'w1', 'j1', { isStream: 'true', gpu: 'x' }],
  [
    '/v2/ep/ping/w1?job_id=a%2Cb&runpod_version=1',
    'ping',
    'w1',
    undefined,
    { job_id: 'a,b', runpod_version: '1' },
  ],
  ['/v2/ep/ping/w1', 'ping', 'w1', undefined, {}],
  ['/v2/ep/job-done/w1/a%2Fb%3Fc%26d', 'job-done', 'w1', 'a/b?c&d', {}],
  ['/v2/ep/job-done/w1/%E0%A4%A', 'job-done', 'w1', '%E0%A4%A', {}],
  ['/v2/ep/job-done/w1', 'job-done', 'w1', undefined, {}],
])('%s', (url, operation, workerId, jobId, query) => {
  expect(read(url, operation)).toEqual({ workerId, jobId, query })
})
