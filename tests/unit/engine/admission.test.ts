import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { Admission } from '../../../src/engine/admission.ts'
import type { Place } from '../../../src/engine/place.ts'
import { ServerError } from '../../../src/errors.ts'
import type { Priority } from '../../../src/task.ts'
import { outcome } from '../../fakes/lane.ts'

const CANCELLED = { code: 'cancelled', message: 'the request was cancelled' }

interface Asked {
  readonly whenFull?: 'refuse' | 'wait'
  readonly priority?: Priority
  readonly tokens?: number
  readonly ownTokens?: number
  readonly withinMs?: number
  readonly signal?: AbortSignal
}

/** A queue of 10 items, of 100 tokens unless told, and who was let in, in order. Items have a token each unless told. */
function open(queueTokens = 100) {
  const admission = new Admission({ name: 'fake-model', queueSize: 10, queueTokens })
  const entered: string[] = []
  const places: Place[] = []
  const admit = (itemCount: number, asked: Asked = {}): Place | Promise<Place> => {
    const { whenFull = 'refuse', priority = 'normal', tokens = itemCount } = asked
    const { ownTokens, withinMs, signal } = asked
    const limits = { whenFull, withinMs, signal }
    const place = admission.admit({ itemCount, tokens, ownTokens, priority, noun: 'text', ...limits })
    if (!(place instanceof Promise)) places.push(place)
    return place
  }
  /** Comes under a name, and waits where it must. */
  const hold = (name: string, itemCount: number, signal?: AbortSignal) =>
    outcome(
      Promise.resolve(admit(itemCount, { whenFull: 'wait', ...(signal && { signal }) })).then((place) => {
        places.push(place)
        entered.push(name)
      }),
    )
  /** Takes items out, of whoever came first. */
  const release = (itemCount: number) => {
    for (let left = itemCount; left > 0;) {
      const place = places.find(({ items }) => items > 0) as Place
      const items = Math.min(left, place.items)
      left -= items
      admission.release(place, items, (items * place.tokens) / place.items)
    }
  }
  const counts = () => [admission.queuedItems, admission.heldRequests]
  return { admission, admit, hold, release, entered, counts }
}

/** Lets what has been let in say so. */
async function settle(): Promise<void> {
  for (let tick = 0; tick < 10; tick++) await Promise.resolve()
}

describe('with room', () => {
  test.each(['refuse', 'wait'] as const)('a request that would "%s" is in at once', (whenFull) => {
    const { admit, counts } = open()
    expect(admit(4, { whenFull })).toEqual({ priority: 'normal', items: 4, tokens: 4 })
    expect(admit(6, { whenFull })).toEqual({ priority: 'normal', items: 6, tokens: 6 })
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
        message:
          'the queue of fake-model holds 8 items; 3 more would pass its limit of 10 (INFINITY_QUEUE_SIZE)',
      }),
    )
    expect(counts()).toEqual([8, 0])
    expect(admit(2)).toEqual({ priority: 'normal', items: 2, tokens: 2 })
  })

  test('a refusal counts one as one', () => {
    const { admit, hold } = open(5)
    void admit(1)
    expect(() => admit(1, { tokens: 5 })).toThrow(/ holds 1 item of 1 token; about 5 more/)
    void hold('held', 10)
    expect(() => admit(1)).toThrow(/ holds 1 item of at most 10; 1 request that came before waits for room$/)
  })

  test('a request that may wait is held whole, and let in when all of it fits', async () => {
    const { release, admit, hold, entered, counts } = open()
    void admit(8)
    const held = hold('held', 5)
    expect(counts()).toEqual([8, 1])
    release(2)
    await settle()
    expect([entered, ...counts()]).toEqual([[], 6, 1])
    release(1)
    await held
    expect([entered, ...counts()]).toEqual([['held'], 10, 0])
  })

  test('those held are let in in the order they came, as many as fit', async () => {
    const { release, admit, hold, entered, counts } = open()
    void admit(10)
    const all = [hold('first', 4), hold('second', 4), hold('third', 4), hold('fourth', 1)]
    release(9)
    await settle()
    expect([entered, ...counts()]).toEqual([['first', 'second'], 9, 2])
    release(9)
    await Promise.all(all)
    expect(entered).toEqual(['first', 'second', 'third', 'fourth'])
    expect(counts()).toEqual([5, 0])
  })

  test('a smaller one never overtakes: it is held behind, or refused', async () => {
    const { release, admit, hold, entered, counts } = open()
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
    release(3)
    await large
    expect(entered).toEqual(['large'])
    release(1)
    await small
    expect(entered).toEqual(['large', 'small'])
  })

  test('items that a batch gave back are counted, and nobody is let in past them', async () => {
    const { admission, release, admit, hold, entered, counts } = open()
    const place = admit(10)
    const held = hold('held', 2)
    admission.takeBack(place as Place, 3, 3)
    expect(counts()).toEqual([13, 1])
    release(4)
    await settle()
    expect(entered).toEqual([])
    release(1)
    await held
    expect(counts()).toEqual([10, 0])
  })
})

describe('a held request whose signal is aborted', () => {
  test('is cancelled at once, and takes no room', async () => {
    const { release, admit, hold, counts } = open()
    void admit(10)
    const controller = new AbortController()
    const held = hold('held', 4, controller.signal)
    controller.abort()
    expect(await held).toEqual(CANCELLED)
    expect(counts()).toEqual([10, 0])
    release(10)
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
    const { release, admit, hold, entered } = open()
    void admit(10)
    const controller = new AbortController()
    const all = [hold('first', 6), hold('second', 6, controller.signal), hold('third', 4)]
    controller.abort()
    release(10)
    await Promise.all(all)
    expect(entered).toEqual(['first', 'third'])
  })

  test('is not cancelled once it is in, and neither are those behind it', async () => {
    const { release, admit, hold, entered, counts } = open()
    void admit(10)
    const controller = new AbortController()
    const all = [hold('held', 4, controller.signal), hold('behind', 1)]
    release(4)
    controller.abort()
    expect(counts()).toEqual([10, 1])
    release(1)
    await Promise.all(all)
    expect([entered, ...counts()]).toEqual([['held', 'behind'], 10, 0])
  })

  test('has no listener left once it is in', async () => {
    const { release, admit, hold } = open()
    void admit(10)
    const { signal } = new AbortController()
    const held = hold('held', 4, signal)
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    release(4)
    await held
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })
})

test('closing ends every wait with its error, and takes none of their room', async () => {
  const { admission, release, admit, hold, entered, counts } = open()
  void admit(9)
  const all = [hold('first', 2), hold('second', 1)]
  admission.close(new ServerError('stopping', 'good night'))
  for (const ended of all) expect(await ended).toEqual({ code: 'stopping', message: 'good night' })
  release(9)
  expect([entered, ...counts()]).toEqual([[], 0, 0])
})

/** Batches of a queue that is longer than they, one after the other. */
function measure({ speed }: Admission, tokens: number, ms: number): void {
  for (const startMs of [0, ms]) speed.note({ tokens, startMs, endMs: startMs + ms, leftOthers: true })
}

/** Milliseconds after which a request that was refused may come again. */
function retryAfterMs(admit: () => unknown): number | undefined {
  try {
    admit()
  } catch (error) {
    if (error instanceof ServerError) return error.retryAfterMs
  }
  return undefined
}

describe('tokens', () => {
  test('are bounded as items are, and an error says so', () => {
    const { admit, counts } = open()
    void admit(2, { tokens: 60 })
    expect(() => admit(1, { tokens: 41 })).toThrow(
      expect.objectContaining({
        code: 'overloaded',
        message:
          'the queue of fake-model holds 2 items of 60 tokens; about 41 more would pass its limit of 100 (MAX_QUEUE_TOKENS)',
      }),
    )
    expect(admit(1, { tokens: 40 })).toMatchObject({ tokens: 40 })
    expect(counts()).toEqual([3, 0])
  })

  test('are no reason to refuse a request that finds the queue empty', () => {
    const { admit, release } = open()
    expect(admit(3, { tokens: 5000 })).toMatchObject({ tokens: 5000 })
    expect(() => admit(1)).toThrow(/about 1 more would pass its limit of 100/)
    release(3)
    expect(admit(1)).toMatchObject({ tokens: 1 })
  })

  test('are counted as they are once that is known', () => {
    const { admission, admit } = open()
    const place = admit(2, { tokens: 90 }) as Place
    admission.correct(place, -60)
    expect([admission.queuedTokens, place.tokens]).toEqual([30, 30])
    void admit(1, { tokens: 70 })
    expect(() => admit(1)).toThrow(/MAX_QUEUE_TOKENS/)
  })

  test('that leave make room for those held', async () => {
    const { admit, hold, release, entered } = open(10)
    void admit(2, { tokens: 9 })
    const held = hold('held', 4)
    release(1)
    await settle()
    expect(entered).toEqual(['held'])
    await held
  })
})

describe('the time after which a retry may succeed', () => {
  test('is what the tokens take that must leave before there is room, and the batch under way', () => {
    const { admission, admit } = open()
    // 2 tokens a second, a batch in 4 seconds
    measure(admission, 8, 4000)
    void admit(10, { tokens: 80 })
    expect(retryAfterMs(() => admit(1, { tokens: 8 }))).toBeCloseTo(4000 + 4000)
    expect(retryAfterMs(() => admit(5, { tokens: 8 }))).toBeCloseTo(20_000 + 4000)
    expect(retryAfterMs(() => admit(10, { tokens: 8 }))).toBeCloseTo(40_000 + 4000)
  })

  test('is longer behind those held', () => {
    const { admission, admit, hold } = open()
    measure(admission, 10, 1000)
    void admit(10)
    void hold('held', 10)
    expect(retryAfterMs(() => admit(10))).toBeCloseTo(2000 + 1000)
  })

  test('goes by tokens where they are what is full', () => {
    const { admission, admit } = open()
    measure(admission, 10, 1000)
    void admit(2, { tokens: 90 })
    expect(retryAfterMs(() => admit(1, { tokens: 40 }))).toBeCloseTo(3000 + 1000)
    expect(retryAfterMs(() => admit(1, { tokens: 4000 }))).toBeCloseTo(9000 + 1000)
  })

  test.each([
    ['a second at least', 1000, 1, 1000],
    ['a minute at most', 1, 60_000, 60_000],
    ['a second before batches have told', 0, 0, 1000],
  ])('is %s', (_, tokens, ms, expected) => {
    const { admission, admit } = open()
    measure(admission, tokens, ms)
    void admit(10)
    expect(retryAfterMs(() => admit(10))).toBe(expected)
  })
})

describe('a request that is to be answered within a time', () => {
  /** A token a millisecond, ten a batch. */
  function openMeasured() {
    const opened = open(1_000_000)
    measure(opened.admission, 10, 10)
    return opened
  }

  test('is refused where those that take turns with it make it take more than twice that, and told when to come back', () => {
    const { admit } = openMeasured()
    void admit(5, { tokens: 5000 })
    // its own 2,000, as many of the other, and a batch
    expect(admit(1, { tokens: 2000, withinMs: 2005 })).toMatchObject({ items: 1 })
    expect(() => admit(1, { tokens: 2000, withinMs: 2005 })).toThrow(
      expect.objectContaining({
        code: 'overloaded',
        message:
          'the queue of fake-model would let the request be answered in about 6.0 s; it is to be within 2.0 s',
        retryAfterMs: 6010 - 2005,
      }),
    )
  })

  test('is no later for a job that is much longer than it', () => {
    const { admit } = openMeasured()
    void admit(5, { tokens: 500_000 })
    expect(admit(1, { tokens: 20, withinMs: 25 })).toMatchObject({ items: 1 })
    expect(() => admit(1, { tokens: 20, withinMs: 25 })).toThrow(/answered in about 0.1 s/)
  })

  test('waits for all that is more urgent, and for nothing that is less', () => {
    const { admit } = openMeasured()
    void admit(2, { tokens: 3000, priority: 'high' })
    void admit(2, { tokens: 9000, priority: 'low' })
    expect(() => admit(1, { tokens: 100, withinMs: 1554 })).toThrow(/would let/)
    expect(admit(1, { tokens: 100, withinMs: 1555 })).toMatchObject({ items: 1 })
  })

  test('waits for those held, and for what a batch gave back', async () => {
    const { admission, admit, hold, release } = openMeasured()
    const place = admit(10, { tokens: 1000 }) as Place
    const held = hold('held', 10)
    const foretold = () => admission.answerInMs({ priority: 'normal', tokens: 1000 })
    // its own, as many of those in, and the ten of the one held; a batch
    expect(foretold()).toBe(1000 + 1000 + 10 + 10)
    release(10)
    await held
    admission.takeBack(place, 1, 500)
    expect(foretold()).toBe(1000 + 500 + 10 + 10)
    admission.release(place, 1, 500)
    release(10)
    expect(foretold()).toBe(1000 + 10)
  })

  test('is refused for good where it would take more than twice that by itself, whether or not it may wait', () => {
    const { admit } = openMeasured()
    void admit(1)
    for (const whenFull of ['refuse', 'wait'] as const) {
      expect(() => admit(1, { tokens: 3000, withinMs: 1499, whenFull })).toThrow(
        expect.objectContaining({
          code: 'deadline_exceeded',
          message:
            'fake-model needs about 3.0 s for the about 3000 tokens of the request, which is to be answered within 1.5 s',
        }),
      )
    }
  })

  test('is let in where nothing waits, so that a speed that was measured wrong does not refuse for ever', () => {
    const { admit } = openMeasured()
    expect(admit(1, { tokens: 3000, withinMs: 1 })).toMatchObject({ items: 1 })
  })

  test('is not refused for items of which the device computes fewer than there are', () => {
    const { admit } = openMeasured()
    void admit(1, { tokens: 10 })
    const asked = { tokens: 3000, withinMs: 1000 }
    expect(admit(1, { ...asked, ownTokens: 1900 })).toMatchObject({ tokens: 3000 })
    expect(() => admit(1, { ...asked, ownTokens: 2001 })).toThrow(/about 2.0 s for the about 2001 tokens/)
  })

  test('is not refused for those before it where it may wait, nor before batches have told', () => {
    const measured = openMeasured()
    void measured.admit(5, { tokens: 5000 })
    expect(measured.admit(1, { tokens: 2000, withinMs: 1000, whenFull: 'wait' })).toMatchObject({ items: 1 })
    const unmeasured = open(1_000_000)
    void unmeasured.admit(5, { tokens: 500_000 })
    expect(unmeasured.admit(1, { tokens: 9000, withinMs: 1 })).toMatchObject({ items: 1 })
  })
})
