import { describe, expect, test } from 'vitest'
import type { PendingRequest } from '../../../src/engine/pending-request.ts'
import { RowGroup } from '../../../src/engine/row-group.ts'
import type { BatchLimits } from '../../../src/engine/waiting-room.ts'
import { WaitingRoom } from '../../../src/engine/waiting-room.ts'
import { makeRequest, makeRow } from '../../fakes/rows.ts'

const AMPLE: BatchLimits = { maxRows: 32, maxTokens: 512, maxPaddedTokens: 1024 }

/** A request named by its noun, with its rows waiting. */
function enter(room: WaitingRoom, name: string, lengths: readonly number[]): PendingRequest {
  const request = makeRequest(name)
  room.add(lengths.map((length, index) => makeRow(request, index, length)))
  return request
}

/** Items of a group stand together. */
function names(batch: readonly RowGroup[]): string {
  return batch
    .map(({ items }) => items.map(({ request, index }) => `${request.noun}${index}`).join('='))
    .join(' ')
}

function take(room: WaitingRoom, limits: Partial<BatchLimits> = {}): string {
  return names(room.takeBatch({ ...AMPLE, ...limits }))
}

test('an empty room gives an empty batch', () => {
  const room = new WaitingRoom()
  expect(room.takeBatch(AMPLE)).toEqual([])
  expect(room.holdsAlone).toBe(false)
})

describe('who is served', () => {
  test('the request that was not served for longest anchors the batch', () => {
    const room = new WaitingRoom()
    enter(room, 'a', [10, 10, 10])
    enter(room, 'b', [10, 10, 10])
    enter(room, 'c', [10, 10, 10])
    expect(take(room, { maxRows: 1 })).toBe('a0')
    expect(take(room, { maxRows: 1 })).toBe('b0')
    expect(take(room, { maxRows: 1 })).toBe('c0')
    expect(take(room, { maxRows: 2 })).toBe('a1 b1')
    expect(take(room, { maxRows: 1 })).toBe('c1')
  })

  test('of those served together the anchor goes to the very end', () => {
    const room = new WaitingRoom()
    enter(room, 'a', [10, 10, 10])
    enter(room, 'b', [10, 10, 10])
    enter(room, 'c', [10, 10, 10])
    expect(take(room, { maxRows: 2 })).toBe('a0 b0')
    expect(take(room, { maxRows: 2 })).toBe('c0 b1')
    expect(take(room, { maxRows: 2 })).toBe('a1 b2')
    expect(take(room, { maxRows: 2 })).toBe('c1 a2')
    expect(take(room, { maxRows: 2 })).toBe('c2')
  })

  test('the anchor gives its oldest row, not its nearest or shortest', () => {
    const room = new WaitingRoom()
    enter(room, 'a', [90, 10, 12, 11])
    expect(take(room, { maxRows: 1 })).toBe('a0')
    expect(take(room, { maxRows: 1 })).toBe('a1')
  })

  test('rows that left out of turn are not anchors again', () => {
    const room = new WaitingRoom()
    enter(room, 'a', [10, 90, 10, 50])
    expect(take(room, { maxRows: 2 })).toBe('a0 a2')
    expect(take(room, { maxRows: 1 })).toBe('a1')
    expect(take(room, { maxRows: 1 })).toBe('a3')
    expect(take(room)).toBe('')
  })

  test('every request gets a turn before any gets a second', () => {
    const room = new WaitingRoom()
    enter(room, 'a', [10, 10, 10, 10])
    enter(room, 'b', [200])
    enter(room, 'c', [12, 12])
    expect(take(room, { maxRows: 3 })).toBe('a0 b0 c0')
  })

  test('turns go round until the batch is full, each with the row nearest to the anchor', () => {
    const room = new WaitingRoom()
    enter(room, 'a', [20, 80, 22])
    enter(room, 'b', [90, 19, 30])
    expect(take(room, { maxRows: 5 })).toBe('a0 b1 a2 b2 a1')
  })

  test('a newcomer stands behind those who wait, and before those just served', () => {
    const room = new WaitingRoom()
    enter(room, 'a', [10, 10])
    enter(room, 'b', [10, 10])
    expect(take(room, { maxRows: 1 })).toBe('a0')
    enter(room, 'c', [10])
    expect(take(room, { maxRows: 3 })).toBe('b0 a1 c0')
  })

  test('rows that a waiting request adds do not change its place', () => {
    const room = new WaitingRoom()
    const a = enter(room, 'a', [10])
    enter(room, 'b', [10])
    room.add([makeRow(a, 1, 10)])
    expect(room.countOf(a)).toBe(2)
    expect(take(room, { maxRows: 1 })).toBe('a0')
    expect(take(room, { maxRows: 1 })).toBe('b0')
    expect(take(room, { maxRows: 1 })).toBe('a1')
  })
})

describe('budgets', () => {
  test('a batch takes every row that fits', () => {
    const room = new WaitingRoom()
    enter(room, 'a', [10, 20, 30, 40])
    expect(take(room)).toBe('a0 a1 a2 a3')
  })

  test('tokens of a batch stay within their budget', () => {
    const room = new WaitingRoom()
    enter(room, 'a', [40, 40, 40])
    expect(take(room, { maxTokens: 100 })).toBe('a0 a1')
    expect(take(room, { maxTokens: 100 })).toBe('a2')
  })

  test('a request whose rows do not fit is passed over and anchors the next batch', () => {
    const room = new WaitingRoom()
    enter(room, 'a', [40, 40])
    enter(room, 'b', [80])
    enter(room, 'c', [50])
    expect(take(room, { maxTokens: 100 })).toBe('a0 c0')
    expect(take(room, { maxTokens: 100 })).toBe('b0')
  })

  test('rows times the longest of them stay within the padded budget', () => {
    const room = new WaitingRoom()
    enter(room, 'a', [10])
    enter(room, 'b', [30])
    enter(room, 'c', [20])
    expect(take(room, { maxPaddedTokens: 40 })).toBe('a0 c0')
    expect(take(room, { maxPaddedTokens: 40 })).toBe('b0')
  })

  test('short rows beside a long one pay for its padding', () => {
    const room = new WaitingRoom()
    enter(room, 'a', [100, 1, 1, 1])
    expect(take(room, { maxPaddedTokens: 300 })).toBe('a0 a1 a2')
  })

  test('a single row over every budget still leaves, by itself', () => {
    const room = new WaitingRoom()
    enter(room, 'a', [5000])
    enter(room, 'b', [1])
    expect(take(room)).toBe('a0')
    expect(take(room)).toBe('b0')
  })

  test('a batch that is nearly full is sent rather than filled with crumbs', () => {
    const room = new WaitingRoom()
    enter(room, 'a', [95, 1])
    expect(take(room, { maxTokens: 100 })).toBe('a0')
  })
})

describe('leaving', () => {
  test('remove forgets the rows of one request and says how many', () => {
    const room = new WaitingRoom()
    const a = enter(room, 'a', [10, 10, 10])
    enter(room, 'b', [10, 10])
    expect(take(room, { maxRows: 1 })).toBe('a0')
    expect(room.countOf(a)).toBe(2)
    expect(room.remove(a)).toBe(2)
    expect(room.countOf(a)).toBe(0)
    expect(take(room)).toBe('b0 b1')
    expect(room.remove(a)).toBe(0)
    expect(take(room)).toBe('')
  })

  test('what was to run alone is forgotten once nobody waits for it', () => {
    const room = new WaitingRoom()
    const [a, b] = [makeRequest('a'), makeRequest('b')]
    const own = new RowGroup(makeRow(a, 7, 10))
    const shared = new RowGroup(makeRow(a, 8, 10), [makeRow(b, 9, 10)])
    room.addAlone(own)
    room.addAlone(shared)
    expect(room.removeDone()).toEqual([])
    a.fail('cancelled')
    expect(room.removeDone()).toEqual([own])
    expect(room.tokens).toBe(10)
    b.fail('cancelled')
    expect(room.removeDone()).toEqual([shared])
    expect(room.holdsAlone).toBe(false)
    expect(take(room)).toBe('')
  })

  test('rows that run alone leave first, one a batch, in the order they came', () => {
    const room = new WaitingRoom()
    const a = enter(room, 'a', [10, 10])
    room.addAlone(new RowGroup(makeRow(a, 8, 10)))
    room.addAlone(new RowGroup(makeRow(a, 9, 10)))
    expect(room.holdsAlone).toBe(true)
    expect([take(room), take(room), take(room)]).toEqual(['a8', 'a9', 'a0 a1'])
    expect(room.holdsAlone).toBe(false)
  })
})

describe('rows that look alike', () => {
  /** Rows of ten tokens, each looking as its letter says. */
  function enterLike(room: WaitingRoom, name: string, looks: string): PendingRequest {
    const request = makeRequest(name)
    room.add(Array.from(looks, (key, index) => ({ ...makeRow(request, index, 10), key })))
    return request
  }

  test('leave together, wherever they stand, and take up one place', () => {
    const room = new WaitingRoom()
    const a = enterLike(room, 'a', 'xyxz')
    const b = enterLike(room, 'b', 'zx')
    expect(take(room, { maxRows: 2 })).toBe('a0=a2=b1 b0=a3')
    expect([room.countOf(a), room.countOf(b), room.tokens]).toEqual([1, 0, 10])
    expect(take(room)).toBe('a1')
    expect(take(room)).toBe('')
  })

  test('fill a batch with others once they are taken', () => {
    const room = new WaitingRoom()
    enterLike(room, 'a', 'xxxxyyyyz')
    expect(take(room, { maxRows: 3 })).toBe('a0=a1=a2=a3 a4=a5=a6=a7 a8')
  })

  test('wait in a place of their own until then: one that is also the last of a job is taken as any other', () => {
    const room = new WaitingRoom()
    enterLike(room, 'a', 'mnopqx')
    enterLike(room, 'b', 'x')
    expect(take(room, { maxRows: 1 })).toBe('a0')
    expect(take(room, { maxRows: 1 })).toBe('b0=a5')
    expect(take(room, { maxRows: 9 })).toBe('a1 a2 a3 a4')
  })

  test('leave a request its place in line, where one of its rows left early', () => {
    const room = new WaitingRoom()
    enterLike(room, 'a', 'xx')
    enterLike(room, 'b', 'xy')
    enterLike(room, 'c', 'z')
    expect(take(room, { maxRows: 1 })).toBe('a0=a1=b0')
    expect(take(room, { maxRows: 1 })).toBe('b1')
    expect(take(room, { maxRows: 1 })).toBe('c0')
  })

  test('leave a request that has no others: it comes to the end of the line when more come', () => {
    const room = new WaitingRoom()
    enterLike(room, 'a', 'x')
    const b = enterLike(room, 'b', 'x')
    enterLike(room, 'c', 'y')
    expect(take(room, { maxRows: 1 })).toBe('a0=b0')
    room.add([makeRow(b, 1, 10)])
    expect(take(room, { maxRows: 1 })).toBe('c0')
    expect(take(room, { maxRows: 1 })).toBe('b1')
  })

  test('are none that belonged to a request that was removed', () => {
    const room = new WaitingRoom()
    const a = enterLike(room, 'a', 'xxy')
    enterLike(room, 'b', 'x')
    enterLike(room, 'c', 'yx')
    expect(room.remove(a)).toBe(3)
    expect(take(room)).toBe('b0=c1 c0')
    expect(take(room)).toBe('')
  })

  test('that left are not anchors, nor counted when their request is removed', () => {
    const room = new WaitingRoom()
    enterLike(room, 'a', 'x')
    const b = enterLike(room, 'b', 'xyz')
    expect(take(room, { maxRows: 1 })).toBe('a0=b0')
    expect(take(room, { maxRows: 1 })).toBe('b1')
    expect(room.remove(b)).toBe(1)
  })
})
