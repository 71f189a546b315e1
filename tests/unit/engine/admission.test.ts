import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { Admission } from '../../../src/engine/admission.ts'
import { ServerError } from '../../../src/errors.ts'
import { outcome } from '../../fakes/lane.ts'

const CANCELLED = { code: 'cancelled', message: 'the request was cancelled' }

interface Asked {
  readonly whenFull?: 'refuse' | 'wait'
  readonly signal?: AbortSignal
}

/** A queue of 10, and who was let in, in order. */
function open() {
  const admission = new Admission({ name: 'fake-model', queueSize: 10 })
  const entered: string[] = []
  const admit = (itemCount: number, { whenFull = 'refuse', signal }: Asked = {}) =>
    admission.admit({ itemCount, noun: 'text', whenFull, signal })
  /** Comes under a name, and waits where it must. */
  const hold = (name: string, itemCount: number, signal?: AbortSignal) => {
    const held = admit(itemCount, { whenFull: 'wait', ...(signal && { signal }) }) ?? Promise.resolve()
    return outcome(held.then(() => void entered.push(name)))
  }
  const counts = () => [admission.queuedItems, admission.heldRequests]
  return { admission, admit, hold, entered, counts }
}

/** Lets what has been let in say so. */
async function settle(): Promise<void> {
  for (let tick = 0; tick < 10; tick++) await Promise.resolve()
}

describe('with room', () => {
  test.each(['refuse', 'wait'] as const)('a request that would "%s" is in at once', (whenFull) => {
    const { admit, counts } = open()
    expect(admit(4, { whenFull })).toBeUndefined()
    expect(admit(6, { whenFull })).toBeUndefined()
    expect(counts()).toEqual([10, 0])
  })

  test.each(['refuse', 'wait'] as const)(
    'there is none, ever, for more items than the queue holds, even where it would "%s"',
    (whenFull) => {
      const { admit, counts } = open()
      expect(() => admit(11, { whenFull })).toThrow(
        expect.objectContaining({
          code: 'request_too_large',
          message: 'the request has 11 texts; fake-model queues at most 10 (INFINITY_QUEUE_SIZE)',
        }),
      )
      expect(counts()).toEqual([0, 0])
    },
  )
})

describe('without room', () => {
  test('a request is refused, with what is there and what it would need', () => {
    const { admit, counts } = open()
    void admit(8)
    expect(() => admit(3)).toThrow(
      expect.objectContaining({
        code: 'overloaded',
        message: 'the queue of fake-model holds 8 items; 3 more would pass its limit of 10',
      }),
    )
    expect(counts()).toEqual([8, 0])
    expect(admit(2)).toBeUndefined()
  })

  test('a request that may wait is held whole, and let in when all of it fits', async () => {
    const { admission, admit, hold, entered, counts } = open()
    void admit(8)
    const held = hold('held', 5)
    expect(counts()).toEqual([8, 1])
    admission.release(2)
    await settle()
    expect([entered, ...counts()]).toEqual([[], 6, 1])
    admission.release(1)
    await held
    expect([entered, ...counts()]).toEqual([['held'], 10, 0])
  })

  test('those held are let in in the order they came, as many as fit', async () => {
    const { admission, admit, hold, entered, counts } = open()
    void admit(10)
    const all = [hold('first', 4), hold('second', 4), hold('third', 4), hold('fourth', 1)]
    admission.release(9)
    await settle()
    expect([entered, ...counts()]).toEqual([['first', 'second'], 9, 2])
    admission.release(9)
    await Promise.all(all)
    expect(entered).toEqual(['first', 'second', 'third', 'fourth'])
    expect(counts()).toEqual([5, 0])
  })

  test('a smaller one never overtakes: it is held behind, or refused', async () => {
    const { admission, admit, hold, entered, counts } = open()
    void admit(8)
    const [large, small] = [hold('large', 5), hold('small', 1)]
    expect(() => admit(1)).toThrow(
      expect.objectContaining({
        code: 'overloaded',
        message:
          'the queue of fake-model holds 8 items of at most 10; 2 requests that came before wait for room',
      }),
    )
    await settle()
    expect([entered, ...counts()]).toEqual([[], 8, 2])
    admission.release(3)
    await large
    expect(entered).toEqual(['large'])
    admission.release(1)
    await small
    expect(entered).toEqual(['large', 'small'])
  })

  test('items that a batch gave back are counted, and nobody is let in past them', async () => {
    const { admission, admit, hold, entered, counts } = open()
    void admit(10)
    const held = hold('held', 2)
    admission.takeBack(3)
    expect(counts()).toEqual([13, 1])
    admission.release(4)
    await settle()
    expect(entered).toEqual([])
    admission.release(1)
    await held
    expect(counts()).toEqual([10, 0])
  })
})

describe('a held request whose signal is aborted', () => {
  test('is cancelled at once, and takes no room', async () => {
    const { admission, admit, hold, counts } = open()
    void admit(10)
    const controller = new AbortController()
    const held = hold('held', 4, controller.signal)
    controller.abort()
    expect(await held).toEqual(CANCELLED)
    expect(counts()).toEqual([10, 0])
    admission.release(10)
    expect(counts()).toEqual([0, 0])
  })

  test('makes way for those behind it', async () => {
    const { admit, hold, entered, counts } = open()
    void admit(8)
    const controller = new AbortController()
    const [large, small] = [hold('large', 5, controller.signal), hold('small', 2)]
    controller.abort()
    expect(await large).toEqual(CANCELLED)
    await small
    expect([entered, ...counts()]).toEqual([['small'], 10, 0])
  })

  test('in the middle of the line leaves the others in their order', async () => {
    const { admission, admit, hold, entered } = open()
    void admit(10)
    const controller = new AbortController()
    const all = [hold('first', 6), hold('second', 6, controller.signal), hold('third', 4)]
    controller.abort()
    admission.release(10)
    await Promise.all(all)
    expect(entered).toEqual(['first', 'third'])
  })

  test('is not cancelled once it is in, and neither are those behind it', async () => {
    const { admission, admit, hold, entered, counts } = open()
    void admit(10)
    const controller = new AbortController()
    const all = [hold('held', 4, controller.signal), hold('behind', 1)]
    admission.release(4)
    controller.abort()
    expect(counts()).toEqual([10, 1])
    admission.release(1)
    await Promise.all(all)
    expect([entered, ...counts()]).toEqual([['held', 'behind'], 10, 0])
  })

  test('has no listener left once it is in', async () => {
    const { admission, admit, hold } = open()
    void admit(10)
    const { signal } = new AbortController()
    const held = hold('held', 4, signal)
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    admission.release(4)
    await held
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })
})

test('closing ends every wait with its error, and takes none of their room', async () => {
  const { admission, admit, hold, entered, counts } = open()
  void admit(9)
  const all = [hold('first', 2), hold('second', 1)]
  admission.close(new ServerError('stopping', 'good night'))
  for (const ended of all) expect(await ended).toEqual({ code: 'stopping', message: 'good night' })
  admission.release(9)
  expect([entered, ...counts()]).toEqual([[], 0, 0])
})

describe('the time after which a retry may succeed', () => {
  const SLOW = Array.from({ length: 100 }, () => [1, 60_000] as const)

  function retryAfterMs(speeds: readonly (readonly [itemCount: number, ms: number])[], queuedItems = 10) {
    const admission = new Admission({ name: 'fake-model', queueSize: 10 })
    const ask = { noun: 'text', whenFull: 'refuse', signal: undefined } as const
    void admission.admit({ itemCount: queuedItems, ...ask })
    for (const [itemCount, ms] of speeds) admission.noteSpeed(itemCount, ms)
    try {
      void admission.admit({ itemCount: 10, ...ask })
    } catch (error) {
      if (error instanceof ServerError) return error.retryAfterMs
    }
    return undefined
  }

  test.each<[string, readonly (readonly [number, number])[], number]>([
    ['of what waits, at the speed of the last batch', [[4, 8000]], 20_000],
    ['a second at least', [[32, 10]], 1000],
    ['a minute at most', [[1, 60_000]], 60_000],
    ['a second before the first batch', [], 1000],
    ['not for ever what a batch that took no time makes of it', [[32, 0], ...SLOW], 60_000],
  ])('is that %s', (_, speeds, expected) => {
    expect(retryAfterMs(speeds)).toBe(expected)
  })

  test('follows the speed of the last batches, not only of the last one', () => {
    const [before = 0, after = 0] = [
      retryAfterMs([[10, 10_000]]),
      retryAfterMs([
        [10, 10_000],
        [10, 40_000],
      ]),
    ]
    expect(before).toBeCloseTo(10_000)
    expect(after).toBeGreaterThan(before)
    expect(after).toBeLessThan(15_000)
  })
})
