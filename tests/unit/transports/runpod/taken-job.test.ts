import { expect, test } from 'vitest'
import { readTakenJob } from '../../../../src/transports/runpod/taken-job.ts'

test('a job is read with its id, which may be a number', () => {
  expect(readTakenJob({ id: 'a', input: {} })).toEqual({ id: 'a', job: { id: 'a', input: {} } })
  expect(readTakenJob({ id: 7 })).toMatchObject({ id: '7' })
})

test.each([
  [null, 'it is not an object'],
  ['a', 'it is not an object'],
  [[{ id: 'a' }], 'it is not an object'],
  [{ input: {} }, 'it has no id'],
  [{ id: '' }, 'it has no id'],
  [{ id: '.' }, 'its id is ., which no address can hold'],
  [{ id: '..' }, 'its id is .., which no address can hold'],
])('%j is no job that can be answered', (item, reason) => {
  expect(readTakenJob(item)).toBe(reason)
})
