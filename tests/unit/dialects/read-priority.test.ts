/** Who comes first, in every way in which clients say it. */
import { describe, expect, test } from 'vitest'
import { readPriority } from '../../../src/dialects/read-priority.ts'
import { runJob } from '../../../src/transports/runpod/job.ts'
import { HeldService } from '../../fakes/http-face.ts'

const KNOWN: readonly (readonly [unknown, string])[] = [
  ['high', 'high'],
  [' Normal ', 'normal'],
  ['LOW', 'low'],
  ['-1', 'high'],
  ['0', 'normal'],
  ['+999', 'low'],
]

test.each(KNOWN)('%j in the header is %s', (priority, expected) => {
  expect(readPriority({ route: '/', body: {}, priority: priority as string })).toBe(expected)
})

const NUMBERS: typeof KNOWN = [
  [-5, 'high'],
  [0, 'normal'],
  [-0, 'normal'],
  [1, 'low'],
  [999, 'low'],
  [1e300, 'low'],
]

test.each([...KNOWN, ...NUMBERS])('%j in the body is %s', (priority, expected) => {
  expect(readPriority({ route: '/', body: { priority } })).toBe(expected)
})

test.each([[undefined], [null], ['urgent'], ['1.5'], [1.5], [NaN], [Infinity], [true], [{}], [[1]], ['']])(
  '%j in the body is none',
  (priority) => {
    expect(readPriority({ route: '/', body: { priority } })).toBeUndefined()
  },
)

test.each([[undefined], [null], ['text'], [['high']]])('a body that is %j has none', (body) => {
  expect(readPriority({ route: '/', body })).toBeUndefined()
})

test.each(['urgent', '', '1.5', 'high, low', '1e3'])('%j in the header is refused', (priority) => {
  const says = `x-priority is ${JSON.stringify(priority)}; it must be high, normal, low or a whole number, where less than 0 is high and more is low`
  expect(() => readPriority({ route: '/', body: { priority: 'high' }, priority })).toThrow(
    expect.objectContaining({ code: 'invalid_request', message: says, param: 'x-priority' }),
  )
})

test('the header wins over the body', () => {
  expect(readPriority({ route: '/', body: { priority: 'high' }, priority: 'low' })).toBe('low')
})

describe('a job', () => {
  async function optionsOf(job: unknown) {
    const service = new HeldService()
    service.release()
    await runJob(job, service, { errorStyle: 'failed' })
    return service.started[0]
  }

  test.each([
    [{ input: { input: 'a', priority: -1 } }, 'high'],
    [{ input: 'a', priority: 'low' }, 'low'],
    [{ input: { openai_route: '/v1/embeddings', openai_input: { input: 'a', priority: 3 } } }, 'low'],
    [{ input: { input: 'a' }, policy: { lowPriority: true } }, 'low'],
    [{ input: { input: 'a', priority: 0 }, policy: { lowPriority: true } }, 'normal'],
    [{ input: { input: 'a' }, policy: { lowPriority: false } }, undefined],
    [{ input: { input: 'a' }, policy: null }, undefined],
  ])('%j is %s', async (job, priority) => {
    expect((await optionsOf(job))?.priority).toBe(priority)
  })

  test.each([
    [{ executionTimeout: 5000 }, 5000],
    [{ executionTimeout: 0 }, undefined],
    [{ executionTimeout: '5000' }, undefined],
    [{}, undefined],
    [5, undefined],
  ])('with the policy %j is to be answered within %s ms', async (policy, withinMs) => {
    expect((await optionsOf({ input: { input: 'a' }, policy }))?.withinMs).toBe(withinMs)
  })
})
