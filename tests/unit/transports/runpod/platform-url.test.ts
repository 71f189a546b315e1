import { describe, expect, test } from 'vitest'
import {
  addParams,
  doneUrl,
  pingUrl,
  stopUrl,
  takeUrl,
} from '../../../../src/transports/runpod/platform-url.ts'

const VALUES = { workerId: 'w1', endpointId: 'ep1', gpuTypeId: 'NVIDIA RTX A5000' }
const ONE = { count: 1, jobsInProgress: false }
const BASE = 'https://api.runpod.ai/v2'

describe('the address of job-take', () => {
  test.each([
    ['$ID', `${BASE}/e/job-take/$ID?gpu=a+b`, ONE, `${BASE}/e/job-take/w1?gpu=a+b&job_in_progress=0`],
    [
      'the pod id, without a ?',
      `${BASE}/e/job-take/$RUNPOD_POD_ID`,
      ONE,
      `${BASE}/e/job-take/w1?job_in_progress=0`,
    ],
    [
      'jobs in progress',
      `${BASE}/e/job-take/$ID?g=1`,
      { count: 1, jobsInProgress: true },
      `${BASE}/e/job-take/w1?g=1&job_in_progress=1`,
    ],
    [
      'a batch',
      `${BASE}/e/job-take/$ID?g=1`,
      { count: 7, jobsInProgress: true },
      `${BASE}/e/job-take-batch/w1?g=1&batch_size=7&job_in_progress=1`,
    ],
    [
      'a batch, without a ?',
      `${BASE}/e/job-take/$ID`,
      { count: 2, jobsInProgress: false },
      `${BASE}/e/job-take-batch/w1?batch_size=2&job_in_progress=0`,
    ],
    [
      'endpoint and card',
      `${BASE}/$RUNPOD_ENDPOINT_ID/job-take/$ID?gpu=$RUNPOD_GPU_TYPE_ID`,
      ONE,
      `${BASE}/ep1/job-take/w1?gpu=NVIDIA%20RTX%20A5000&job_in_progress=0`,
    ],
    [
      'what is encoded already',
      `${BASE}/e/job-take/$ID?gpu=a%20b+c%2B`,
      ONE,
      `${BASE}/e/job-take/w1?gpu=a%20b+c%2B&job_in_progress=0`,
    ],
    ['a ? at its end', `${BASE}/job-take/$ID?`, ONE, `${BASE}/job-take/w1?job_in_progress=0`],
    [
      'no segment to make a batch of',
      `${BASE}/take/$ID`,
      { count: 9, jobsInProgress: false },
      `${BASE}/take/w1?job_in_progress=0`,
    ],
  ])('is right with %s', (_, template, options, url) => {
    expect(takeUrl(template, VALUES, options)).toBe(url)
  })

  test('keeps a placeholder that has no value', () => {
    const url = takeUrl(`${BASE}/job-take/$ID?gpu=$RUNPOD_GPU_TYPE_ID`, { workerId: 'w1' }, ONE)
    expect(url).toBe(`${BASE}/job-take/w1?gpu=$RUNPOD_GPU_TYPE_ID&job_in_progress=0`)
  })
})

describe('the address of job-stop', () => {
  test('is that of job-take, its query kept', () => {
    expect(stopUrl(`${BASE}/e/job-take/$ID?gpu=x`, VALUES)).toBe(`${BASE}/e/job-stop/w1?gpu=x`)
  })

  test('is unknown where job-take is somewhere else', () => {
    expect(stopUrl(`${BASE}/e/jobs/$ID`, VALUES)).toBeUndefined()
  })
})

describe('the address of job-done', () => {
  test.each([
    [
      'job-1',
      `${BASE}/e/job-done/$RUNPOD_POD_ID/$ID?gpu=x`,
      `${BASE}/e/job-done/w1/job-1?gpu=x&isStream=false`,
    ],
    ['sync-1-u1', `${BASE}/job-done/$RUNPOD_POD_ID/$ID`, `${BASE}/job-done/w1/sync-1-u1?isStream=false`],
    ['a/b?c&d#e%f', `${BASE}/job-done/$ID`, `${BASE}/job-done/a%2Fb%3Fc%26d%23e%25f?isStream=false`],
    ["$&$'$1", `${BASE}/job-done/$ID`, `${BASE}/job-done/%24%26%24'%241?isStream=false`],
    ['$RUNPOD_POD_ID', `${BASE}/job-done/$ID`, `${BASE}/job-done/%24RUNPOD_POD_ID?isStream=false`],
    ['\ud800', `${BASE}/job-done/$ID`, `${BASE}/job-done/%EF%BF%BD?isStream=false`],
  ])('holds the job %s', (id, template, url) => {
    expect(doneUrl(template, VALUES, id)).toBe(url)
  })
})

test('the address of the ping names the worker either way', () => {
  expect(pingUrl(`${BASE}/ping/$RUNPOD_POD_ID`, VALUES)).toBe(`${BASE}/ping/w1`)
  expect(pingUrl(`${BASE}/ping/$ID`, VALUES)).toBe(`${BASE}/ping/w1`)
})

test.each([
  ['http://h/a', 'http://h/a?k=v'],
  ['http://h/a?b=c', 'http://h/a?b=c&k=v'],
  ['http://h/a?b=c&', 'http://h/a?b=c&k=v'],
])('parameters are joined to %s', (url, joined) => {
  expect(addParams(url, 'k=v')).toBe(joined)
})
